// Package complete finds what can follow on an unfinished command line, for the completion
// of shells. It knows the model of the commands, and asks its caller for names that this
// does not have.
package complete

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Line is a command line up to the word that is being written.
type Line struct {
	// Arguments are the finished arguments of the command, in their order.
	Arguments []string
	// Flags are the finished flags with their last values, by name; "" for those without.
	Flags map[string]string
}

// Names lists the names that a value can be: of a flag, or of an argument of a command by
// its name. It gets what is being written, and may list more than what begins so.
type Names func(value *kong.Value, line Line, written string) []string

// Words are the words that can stand for the last one, which may be "": commands, flags,
// and values. They are sorted. None are found where a file is meant, or the line is not one
// of the commands.
func Words(app *kong.Application, words []string, names Names) []string {
	if len(words) == 0 {
		return nil
	}
	r := reader{node: app.Node, flags: slices.Clone(app.Flags), line: Line{Flags: make(map[string]string)}}
	for _, word := range words[:len(words)-1] {
		r.read(word)
	}
	written := words[len(words)-1]
	var found []string
	switch name, value, assigned := strings.Cut(written, "="); {
	case r.awaits != nil:
		found = r.values(r.awaits.Value, written, names)
	case r.onlyArguments:
		found = r.arguments(written, names)
	case strings.HasPrefix(written, "--") && assigned:
		if flag := r.flag(name); flag != nil {
			for _, word := range r.values(flag.Value, value, names) {
				found = append(found, name+"="+word)
			}
		}
	case strings.HasPrefix(written, "-"):
		found = r.flagNames()
	default:
		found = r.arguments(written, names)
	}
	found = slices.DeleteFunc(found, func(word string) bool { return !strings.HasPrefix(word, written) })
	slices.Sort(found)
	return slices.Compact(found)
}

// reader reads the finished words.
type reader struct {
	node          *kong.Node
	flags         []*kong.Flag
	line          Line
	awaits        *kong.Flag // the flag whose value the next word is
	onlyArguments bool       // behind "--"
}

func (r *reader) read(word string) {
	switch name, value, assigned := strings.Cut(word, "="); {
	case r.awaits != nil:
		r.line.Flags[r.awaits.Name], r.awaits = word, nil
	case r.onlyArguments:
		r.line.Arguments = append(r.line.Arguments, word)
	case word == "--":
		r.onlyArguments = true
	case strings.HasPrefix(word, "-") && word != "-":
		flag := r.flag(name)
		if flag == nil {
			return
		}
		r.line.Flags[flag.Name] = value
		if !assigned && !flag.IsBool() && !flag.IsCounter() {
			r.awaits = flag
		}
	default:
		if child := r.child(word); child != nil {
			r.node = child
			r.flags = append(r.flags, child.Flags...)
			return
		}
		r.line.Arguments = append(r.line.Arguments, word)
	}
}

// child is the command of a name, as long as there is no argument.
func (r *reader) child(name string) *kong.Node {
	if len(r.line.Arguments) > 0 {
		return nil
	}
	for _, child := range r.node.Children {
		if child.Name == name || slices.Contains(child.Aliases, name) {
			return child
		}
	}
	return nil
}

// available are the flags that can be written: those of the command, of those around it,
// and of the one that is meant where none is named.
func (r *reader) available() []*kong.Flag {
	if r.node.DefaultCmd == nil {
		return r.flags
	}
	return append(slices.Clone(r.flags), r.node.DefaultCmd.Flags...)
}

// flag is the flag that is written as "--name" or "-n"; nil for none.
func (r *reader) flag(written string) *kong.Flag {
	for _, flag := range r.available() {
		if written == "--"+flag.Name || flag.Short != 0 && written == "-"+string(flag.Short) {
			return flag
		}
	}
	return nil
}

func (r *reader) flagNames() (found []string) {
	for _, flag := range r.available() {
		if !flag.Hidden {
			found = append(found, "--"+flag.Name)
		}
	}
	return found
}

// arguments are commands and the values of the next argument.
func (r *reader) arguments(written string, names Names) (found []string) {
	if len(r.line.Arguments) == 0 && !r.onlyArguments {
		for _, child := range r.node.Children {
			if !child.Hidden {
				found = append(found, child.Name)
			}
		}
	}
	at := r.node
	if at.DefaultCmd != nil {
		at = at.DefaultCmd
	}
	if n := len(r.line.Arguments); n < len(at.Positional) {
		found = append(found, r.values(at.Positional[n], written, names)...)
	}
	return found
}

func (r *reader) values(value *kong.Value, written string, names Names) []string {
	if value.Enum != "" {
		return value.EnumSlice()
	}
	return names(value, r.line, written)
}
