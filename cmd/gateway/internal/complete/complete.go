package complete

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Candidate is a word that a command line may go on with.
type Candidate struct {
	// Word is the whole word. Nothing follows directly, unless it ends with '=', '/' or
	// '.': then a shell adds no space.
	Word string
	// Help describes it in a few words; it may be empty.
	Help string
}

// Reply is what a shell offers.
type Reply struct {
	Candidates []Candidate
	// Files says that names of files may stand there.
	Files bool
}

// Line is the part of a command line that stands before the word to complete.
type Line struct {
	// Flags has the values of flags by name, and Args those of arguments by name. A flag
	// that was given more than once has the last value.
	Flags, Args map[string]string
}

// Values returns the values that a flag or an argument with the tag `complete:"kind"` may
// have, of which those that begin with prefix are offered. It is called for the kinds of the
// program's own tags.
type Values func(kind, prefix string, line Line) []Candidate

// maxHelp is how much of a help text is offered, in bytes: a line of a list.
const maxHelp = 72

// After returns how a command line of the program goes on. The words are those behind the
// program's name; the last one is to be completed, and empty where the next word begins.
func After(app *kong.Application, words []string, values Values) Reply {
	if len(words) == 0 {
		words = []string{""}
	}
	w := &walk{node: app.Node, values: values, line: Line{Flags: map[string]string{}, Args: map[string]string{}}}
	last := len(words) - 1
	for _, word := range words[:last] {
		w.step(word)
	}
	reply := w.complete(words[last])
	reply.Candidates = slices.DeleteFunc(reply.Candidates, func(c Candidate) bool { return !strings.HasPrefix(c.Word, words[last]) })
	return reply
}

// walk is a place in a command line.
type walk struct {
	node   *kong.Node
	values Values
	line   Line
	// flag is the flag whose value comes next; nil for none.
	flag *kong.Flag
	// args is how many arguments of the node have come.
	args int
	// rest says that no flag comes anymore.
	rest bool
}

// step goes behind a word.
func (w *walk) step(word string) {
	switch {
	case w.flag != nil:
		w.line.Flags[w.flag.Name] = word
		w.flag = nil
	case w.rest || !strings.HasPrefix(word, "-") || word == "-":
		w.argument(word)
	case word == "--":
		w.rest = true
	default:
		name, value, whole := strings.Cut(word, "=")
		flag := w.find(name)
		switch {
		case flag == nil:
		case whole:
			w.line.Flags[flag.Name] = value
		case !flag.IsBool() && !flag.IsCounter() && (strings.HasPrefix(name, "--") || len(name) == 2):
			w.flag = flag
		}
	}
}

// argument goes behind a word that is no flag.
func (w *walk) argument(word string) {
	for _, child := range w.node.Children {
		if child.Type == kong.CommandNode && (child.Name == word || slices.Contains(child.Aliases, word)) {
			w.node, w.args = child, 0
			return
		}
	}
	if w.node.DefaultCmd != nil {
		w.node = w.node.DefaultCmd
	}
	if arg := w.positional(); arg != nil {
		w.line.Args[arg.Name] = word
		if arg.Passthrough {
			w.rest = true
		}
	}
	w.args++
}

// positional is the argument that comes next; nil for none.
func (w *walk) positional() *kong.Positional {
	args := w.node.Positional
	if w.node.DefaultCmd != nil {
		args = w.node.DefaultCmd.Positional
	}
	switch {
	case w.args < len(args):
		return args[w.args]
	case len(args) > 0 && args[len(args)-1].IsCumulative():
		return args[len(args)-1]
	default:
		return nil
	}
}

// find finds a flag of the node or of one above by its name with the dashes.
func (w *walk) find(name string) *kong.Flag {
	for _, flag := range w.flags() {
		long, ok := strings.CutPrefix(name, "--")
		switch {
		case ok && (flag.Name == long || slices.Contains(flag.Aliases, long)):
			return flag
		case !ok && flag.Short != 0 && strings.HasPrefix(name, "-"+string(flag.Short)):
			return flag
		}
	}
	return nil
}

func (w *walk) flags() []*kong.Flag {
	var flags []*kong.Flag
	for _, group := range w.node.AllFlags(true) {
		flags = append(flags, group...)
	}
	if w.node.DefaultCmd != nil {
		flags = append(flags, w.node.DefaultCmd.Flags...)
	}
	return flags
}

// complete completes the last word.
func (w *walk) complete(word string) Reply {
	if w.flag != nil {
		return w.of(w.flag.Value, word)
	}
	if !w.rest && strings.HasPrefix(word, "-") {
		if name, value, ok := strings.Cut(word, "="); ok {
			return w.after(name, value)
		}
		return Reply{Candidates: w.names()}
	}
	var reply Reply
	for _, child := range w.node.Children {
		if !child.Hidden && child.Type == kong.CommandNode {
			reply.Candidates = append(reply.Candidates, Candidate{child.Name, short(child.Help)})
		}
	}
	if arg := w.positional(); arg != nil {
		values := w.of(arg, word)
		return Reply{append(reply.Candidates, values.Candidates...), values.Files}
	}
	return reply
}

// after completes the value behind --name=.
func (w *walk) after(name, value string) Reply {
	flag := w.find(name)
	if flag == nil {
		return Reply{}
	}
	reply := w.of(flag.Value, value)
	for i := range reply.Candidates {
		reply.Candidates[i].Word = name + "=" + reply.Candidates[i].Word
	}
	// Shells complete names of files that stand alone.
	reply.Files = false
	return reply
}

// names are the flags that may come.
func (w *walk) names() []Candidate {
	var names []Candidate
	for _, flag := range w.flags() {
		if flag.Hidden {
			continue
		}
		if _, given := w.line.Flags[flag.Name]; given && !flag.IsCumulative() {
			continue
		}
		names = append(names, Candidate{"--" + flag.Name, short(flag.Help)})
	}
	return names
}

// of are the values of a flag or an argument.
func (w *walk) of(value *kong.Value, prefix string) Reply {
	if kind := value.Tag.Get("complete"); kind != "" {
		return Reply{Candidates: w.values(kind, prefix, w.line)}
	}
	if value.Enum != "" {
		var words []Candidate
		for _, word := range value.EnumSlice() {
			words = append(words, Candidate{Word: word})
		}
		return Reply{Candidates: words}
	}
	placeholder := value.Tag.PlaceHolder
	return Reply{Files: placeholder == "FILE" || placeholder == "DIR" || strings.HasPrefix(value.Tag.Type, "existing") || value.Tag.Type == "path"}
}

// short is the first sentence of a help text, where it fits a line.
func short(help string) string {
	help, _, _ = strings.Cut(help, "; ")
	help, _, _ = strings.Cut(help, ". ")
	help = strings.TrimSuffix(help, ".")
	if len(help) <= maxHelp {
		return help
	}
	cut := strings.LastIndexByte(help[:maxHelp], ' ')
	if cut < 0 {
		return ""
	}
	return help[:cut] + " …"
}
