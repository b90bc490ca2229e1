package inventory

import (
	"fmt"
	"strconv"
	"strings"
)

// pieces are those of a range of time, for every kind that a request asks for. They
// have an order: that of the kinds, and then of time. A piece is made when its turn
// comes; so a range costs no memory, however long it is.
//
// The name of a piece is the name of an item as any other, and goes into resume tokens.
type pieces struct {
	cuts []cuts // by read
	next int    // the place of the first that was not taken
}

// count is how many there are.
func (p *pieces) count() (n int) {
	for _, cut := range p.cuts {
		n += int(cut.pieces)
	}
	return n
}

// take is the next piece; false behind the last.
func (p *pieces) take() (position, bool) {
	key, ok := p.key(p.next)
	if !ok {
		return position{}, false
	}
	at := position{keys: []string{key}, page: p.next}
	p.next++
	return at, true
}

// key is the name of the piece at a place; none, and false, where there is no piece.
func (p *pieces) key(place int) (string, bool) {
	if place < 0 {
		return "", false
	}
	for read, cut := range p.cuts {
		if place < int(cut.pieces) {
			return pieceKey(read, int64(place)), true
		}
		place -= int(cut.pieces)
	}
	return "", false
}

// place is where the piece with a name is; false for a name that is none of theirs.
func (p *pieces) place(key string) (int, bool) {
	of, piece, ok := parsePieceKey(key)
	if !ok || of >= len(p.cuts) || piece >= p.cuts[of].pieces {
		return 0, false
	}
	place := int(piece)
	for _, cut := range p.cuts[:of] {
		place += int(cut.pieces)
	}
	return place, true
}

// ahead is how many pieces of a read have not been taken.
func (p *pieces) ahead(read int) int64 {
	before := 0
	for _, cut := range p.cuts[:read] {
		before += int(cut.pieces)
	}
	of := p.cuts[read].pieces
	return of - min(of, int64(max(0, p.next-before)))
}

// pieceKey names a piece of a read's range.
func pieceKey(read int, piece int64) string { return fmt.Sprintf("%02d.%06d", read, piece) }

// parsePieceKey is the inverse of pieceKey; false for any other text.
func parsePieceKey(key string) (read int, piece int64, ok bool) {
	first, second, _ := strings.Cut(key, ".")
	read, _ = strconv.Atoi(first)
	piece, _ = strconv.ParseInt(second, 10, 64)
	return read, piece, read >= 0 && piece >= 0 && pieceKey(read, piece) == key
}

// pieceOf is the piece of a position.
func pieceOf(p position) int64 {
	_, piece, _ := parsePieceKey(p.keys[0])
	return piece
}
