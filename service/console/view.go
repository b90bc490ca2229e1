package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"mime"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

//go:embed assets
var assets embed.FS

// assetPrefix begins the paths of the style, the script and the icon.
const assetPrefix = "/assets/"

// maxName bounds a name that a page shows, in characters. The upstream has none of such a
// length; who makes one breaks no page with it.
const maxName = 80

// views are the templates and the assets.
type views struct {
	templates *template.Template
	files     map[string]asset // by path
	paths     map[string]string
}

// asset is a file that never changes at its path.
type asset struct {
	kind string
	body []byte
}

func newViews(o Options) (*views, error) {
	v := &views{files: make(map[string]asset), paths: make(map[string]string)}
	for _, name := range []string{"style.css", "script.js", "icon.svg"} {
		body, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		sum, extension := sha256.Sum256(body), path.Ext(name)
		at := assetPrefix + strings.TrimSuffix(name, extension) + "-" + hex.EncodeToString(sum[:8]) + extension
		v.files[at], v.paths[name] = asset{mime.TypeByExtension(extension), body}, at
	}
	frame, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	v.templates = template.New("console").Funcs(functions(o.Now))
	for _, from := range []fs.FS{frame, o.Templates} {
		if v.templates, err = v.templates.ParseFS(from, "*.html"); err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
	}
	return v, nil
}

// path is where an asset is: another one for another content.
func (v *views) path(name string) string { return v.paths[name] }

func (v *views) serveAsset(w http.ResponseWriter, r *http.Request) {
	file, ok := v.files[r.URL.Path]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_ = httpdoor.Write(w, http.StatusOK, file.body) // It fails where the browser has gone.
}

// write sends a whole page.
func (v *views) write(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := v.templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "The gateway has failed.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	_ = httpdoor.Write(w, status, b.Bytes()) // As above.
}

// functions are those of templates.
func functions(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"name":     Name,
		"sentence": func(text string) template.HTML { return isolated(clip(text, maxSentence)) },
		"count":    func(n any) string { return Count(reflect.ValueOf(n).Int()) },
		"ago":      func(at time.Time) template.HTML { return moment(at, now()) },
		"duration": Duration,
		"amount":   Amount,
		"rate":     func(r float64) string { return strconv.FormatFloat(math.Round(r*10)/10, 'f', -1, 64) },
		"percent":  func(part float64) string { return strconv.FormatFloat(math.Round(part*1000)/10, 'f', -1, 64) + "%" },
		"iso":      func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
		"day":      func(at time.Time) string { return at.UTC().Format("2 January 2006") },
		"join":     strings.Join,
		"word":     word,
	}
}

// word is the value of an enumeration in a word: "owner" for INVITE_ROLE_OWNER.
func word(value protoreflect.Enum) template.HTML {
	found := value.Descriptor().Values().ByNumber(value.Number())
	if found == nil || value.Number() == 0 {
		return ""
	}
	prefix := strings.TrimSuffix(string(value.Descriptor().Values().Get(0).Name()), "UNSPECIFIED")
	return Name(strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(string(found.Name()), prefix), "_", " ")))
}

// maxSentence bounds a sentence of an error, in characters.
const maxSentence = 500

// Name shows a text that came from elsewhere: on one line, of a bounded length, and kept
// from turning the text around it.
func Name(text string) template.HTML { return isolated(clip(text, maxName)) }

func isolated(text string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(text) + "</bdi>") //nolint:gosec // It is escaped.
}

// clip shortens a text, and takes characters out of it that have no form.
func clip(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n == most {
			return b.String() + "…"
		}
		n++
		if r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d' {
			r = '\u00b7'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Plain is [Name] without markup, for places that have none, such as the text of a plot.
func Plain(text string) string { return clip(text, maxName) }

// Count is a whole number with its thousands apart.
func Count(n int64) string {
	digits, sign := strconv.FormatInt(n, 10), ""
	if strings.HasPrefix(digits, "-") {
		digits, sign = digits[1:], "-"
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Amount is a large whole number in short, such as "9.36 B", with the exact one beside it.
func Amount(n int64) template.HTML {
	short := Count(n)
	for _, unit := range []struct {
		of   int64
		name string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}} {
		if n >= unit.of {
			short = strconv.FormatFloat(float64(n)/float64(unit.of), 'f', 2, 64) + " " + unit.name
			break
		}
	}
	return template.HTML(`<span title="` + Count(n) + `">` + short + `</span>`) //nolint:gosec // Of numbers alone.
}

// Duration is a length of time for people: the largest unit that there is one of.
func Duration(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	d = d.Abs()
	for _, unit := range units {
		if d >= unit.of || unit.of == time.Second {
			n := int64(d / unit.of)
			if n == 1 {
				return "1 " + unit.name
			}
			return strconv.FormatInt(n, 10) + " " + unit.name + "s"
		}
	}
	return ""
}

// moment is a time for people, with the exact one beside it.
func moment(at, now time.Time) template.HTML {
	if at.IsZero() {
		return "never"
	}
	text := Duration(now.Sub(at)) + " ago"
	if at.After(now) {
		text = "in " + Duration(at.Sub(now))
	}
	exact := at.UTC().Format(time.RFC3339)
	return template.HTML(`<time datetime="` + exact + `" title="` + exact + `">` + text + `</time>`) //nolint:gosec // Of numbers alone.
}
