package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// attributes are the ones of each element that a drawing keeps. Their values are numbers
// and the letters of a path.
func attributes() map[string][]string {
	return map[string][]string{
		"svg": nil, "g": {"transform"}, "path": {"d"}, "text": {"x", "y", "transform"}, "circle": {"cx", "cy", "r"},
		"rect": {"x", "y", "width", "height", "rx", "ry"}, "line": {"x1", "y1", "x2", "y2"},
	}
}

// geometry is all that an attribute of geometry may hold.
var geometry = regexp.MustCompile(`^[-+0-9.,eEMmLlHhVvCcSsQqTtAaZz \n()rotaseclnfwkXY]*$`)

// clean writes a drawing as the page may have it.
func clean(b *strings.Builder, drawn []byte, title string, s size) error {
	allowed := attributes()
	decoder := xml.NewDecoder(bytes.NewReader(drawn))
	skipped := 0 // elements within one that is left out
	var open []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			names, known := allowed[t.Name.Local]
			if !known {
				return fmt.Errorf("the drawing has an element %q", t.Name.Local)
			}
			kept, err := begin(t, names, title, s)
			if err != nil {
				return err
			}
			if skipped > 0 || kept == "" {
				skipped++
				continue
			}
			b.WriteString(kept)
			open = append(open, t.Name.Local)
		case xml.EndElement:
			if skipped > 0 {
				skipped--
				continue
			}
			b.WriteString("</" + open[len(open)-1] + ">")
			open = open[:len(open)-1]
		case xml.CharData:
			if skipped == 0 && len(open) > 0 && open[len(open)-1] == "text" {
				b.WriteString(html.EscapeString(string(t)))
			}
		}
	}
}

// begin is the start of an element; "" for one that is left out, which is the paper
// behind a drawing.
func begin(t xml.StartElement, names []string, title string, s size) (string, error) {
	var b strings.Builder
	b.WriteString("<" + t.Name.Local)
	if t.Name.Local == "svg" {
		fmt.Fprintf(&b, ` viewBox="0 0 %d %d" role="img" aria-label="%s">`, s.width, s.height, html.EscapeString(title))
		return b.String(), nil
	}
	for _, name := range names {
		for _, attribute := range t.Attr {
			if attribute.Name.Local != name {
				continue
			}
			if !geometry.MatchString(attribute.Value) {
				return "", fmt.Errorf("the drawing has %s=%q", name, attribute.Value)
			}
			b.WriteString(" " + name + `="` + strings.ReplaceAll(attribute.Value, "\n", "") + `"`)
		}
	}
	for _, attribute := range t.Attr {
		if attribute.Name.Local != "style" {
			continue
		}
		kept, err := styled(attribute.Value)
		if err != nil {
			return "", err
		}
		if kept == "" {
			return "", nil
		}
		b.WriteString(kept)
	}
	b.WriteString(">")
	return b.String(), nil
}

// styled are the attributes that a style becomes; "" for paper.
func styled(style string) (string, error) {
	var classes []string
	other := ""
	for declaration := range strings.SplitSeq(style, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(declaration), ":")
		switch name {
		case "fill", "stroke":
			class, opacity, err := classOf(strings.TrimSpace(value), name == "fill")
			if err != nil {
				return "", err
			}
			switch {
			case class == "paper" && name == "fill":
				return "", nil
			case class == "":
				other += " " + name + `="none"`
			default:
				classes = append(classes, class)
			}
			if opacity != "" {
				other += " " + name + `-opacity="` + opacity + `"`
			}
		case "stroke-width", "font-size":
			number, err := strconv.ParseFloat(strings.TrimSuffix(value, "px"), 64)
			if err != nil {
				return "", fmt.Errorf("the drawing has the style %q", style)
			}
			other += " " + name + `="` + strconv.FormatFloat(number, 'f', -1, 64) + `"`
		case "font-family", "": // Text has the font of the page.
		default:
			return "", fmt.Errorf("the drawing has the style %q", style)
		}
	}
	return ` class="` + strings.Join(classes, " ") + `"` + other, nil
}
