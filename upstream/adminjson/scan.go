package adminjson

// scanner steps through JSON that is known to be valid.
type scanner struct {
	src []byte
	pos int
}

// peek passes over white space and returns the byte that follows.
func (s *scanner) peek() byte {
	for {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
}

// more goes to the next member or element, past the comma in front of it, or
// past the end, which is the byte given.
func (s *scanner) more(end byte) bool {
	switch s.peek() {
	case end:
		s.pos++
		return false
	case ',':
		s.pos++
		s.peek()
	}
	return true
}

// colon goes from after a name to its value.
func (s *scanner) colon() {
	s.peek()
	s.pos++
	s.peek()
}

// text reads a string and returns the bytes between its quotes, still escaped.
func (s *scanner) text() (raw []byte, escaped bool) {
	s.pos++
	rest := s.src[s.pos:]
	for i := 0; ; i++ {
		switch rest[i] {
		case '"':
			s.pos += i + 1
			return rest[:i], escaped
		case '\\':
			escaped = true
			i++
		}
	}
}

// digits reads a number and returns it as it is spelled.
func (s *scanner) digits() []byte {
	start := s.pos
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c-'0' <= 9, c == '-', c == '+', c == '.', c|0x20 == 'e':
			s.pos++
		default:
			return s.src[start:s.pos]
		}
	}
	return s.src[start:]
}

// skip passes over a value with all that is in it.
func (s *scanner) skip() {
	for depth := 0; ; {
		switch s.peek() {
		case '{', '[':
			depth++
			s.pos++
		case '}', ']':
			depth--
			s.pos++
		case ',', ':':
			s.pos++
			continue
		case '"':
			s.text()
		case 't', 'n':
			s.pos += len("true")
		case 'f':
			s.pos += len("false")
		default:
			s.digits()
		}
		if depth == 0 {
			return
		}
	}
}
