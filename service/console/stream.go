package console

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// atOnce bounds the parts of one page that are gathered at the same time.
	atOnce = 4
	// progressPause is how often progress is shown.
	progressPause = time.Second
	// writeTime is how long the last part may take to be written.
	writeTime = 30 * time.Second
)

// stream sends a page: its frame at once, then what is stored, then what is new, each part
// as soon as it is there and wherever it belongs. One goroutine writes.
func (c *Console) stream(ctx context.Context, w http.ResponseWriter, v *Visit, p *Page) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sections := c.sections(v, p)
	longest := time.Duration(0)
	for _, s := range sections {
		longest = max(longest, s.Part.deadline())
	}
	out := &writer{console: c, to: w, controller: http.NewResponseController(w)}
	// A writer without deadlines has no connection that could wait.
	_ = out.controller.SetWriteDeadline(time.Now().Add(longest*time.Duration(1+len(sections)/atOnce) + writeTime))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // A proxy that keeps parts back would undo this.
	page := pageView{Frame: c.frame(v, p.Title), ControlsHTML: c.controls(ctx, v, p)}
	out.write("page-begin", page)
	if v.request.Method == http.MethodHead {
		return
	}
	out.flush()

	var later []section
	for _, o := range c.turn(ctx, sections, func(ctx context.Context, s section) outcome { return c.keep(ctx, v, s) }) {
		out.write("part", o.section)
		if !o.final {
			later = append(later, o.section)
		}
	}
	out.flush()
	if len(later) > 0 {
		c.second(ctx, cancel, v, later, out)
	}
	out.write("page-end", page)
}

// pageView is what the frame of a page shows.
type pageView struct {
	Frame
	ControlsHTML template.HTML
}

// controls are what stands above the parts.
func (c *Console) controls(ctx context.Context, v *Visit, p *Page) template.HTML {
	if p.Controls == "" {
		return ""
	}
	shown := Shown{Visit: v, Now: v.Now}
	if p.Prepare != nil {
		shown.Data = p.Prepare(v)
	}
	var b bytes.Buffer
	if err := c.views.templates.ExecuteTemplate(&b, p.Controls, shown); err != nil {
		c.options.Logger.ErrorContext(ctx, "the head of a page cannot be shown", "page", p.Path, "error", err.Error())
		return ""
	}
	return template.HTML(b.String()) //nolint:gosec // A template of html/template has made it.
}

// sections are the parts of a page that a visit has.
func (c *Console) sections(v *Visit, p *Page) []section {
	var all []section
	for i := range p.Parts {
		part := &p.Parts[i]
		if part.Shown != nil && !part.Shown(v) {
			continue
		}
		query := url.Values{}
		for name, values := range v.Query {
			if name != partParameter {
				query[name] = values
			}
		}
		query.Set(partParameter, part.ID)
		all = append(all, section{
			Number: i + 1, Part: part, State: stateWaiting, Address: p.Path + "?" + query.Encode(), Refresh: int(part.Refresh / time.Second),
		})
	}
	return all
}

// turn makes one turn of all parts, and returns when all are done, in their order.
func (c *Console) turn(ctx context.Context, sections []section, do func(context.Context, section) outcome) []outcome {
	outcomes := make([]outcome, len(sections))
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, s := range sections {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			outcomes[i] = do(ctx, s)
		})
	}
	group.Wait()
	return outcomes
}

// second makes the second turn, and writes each part when it is done. It ends early when
// the gateway stops, or the browser has gone.
func (c *Console) second(ctx context.Context, cancel context.CancelFunc, v *Visit, later []section, out *writer) {
	news := make(chan section) // progress, and parts
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, s := range later {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			report := c.reporter(ctx, s, news)
			if s.State == stateKept {
				report = nil // What is kept is better than a bar.
			}
			news <- c.renew(ctx, v, s, report)
		})
	}
	go func() {
		group.Wait()
		close(news)
	}()
	ending := c.options.Ending
	for {
		select {
		case s, more := <-news:
			if !more {
				return
			}
			out.write("part", s)
			out.flush()
			if out.failed {
				cancel() // Nobody reads; the parts end, and are taken here.
			}
		case <-ending:
			ending = nil
			cancel()
		}
	}
}

// reporter shows the progress of a part, not too often.
func (c *Console) reporter(ctx context.Context, s section, news chan<- section) func(Progress) {
	var mu sync.Mutex
	var last time.Time
	return func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= progressPause {
			last = now
			s.Turn++
			s.State, s.Progress = stateWaiting, &p
			select {
			case news <- s:
			case <-ctx.Done():
			}
		}
	}
}

// fragment sends one part of a page alone, for its script.
func (c *Console) fragment(ctx context.Context, w http.ResponseWriter, v *Visit, p *Page, id string) {
	for _, s := range c.sections(v, p) {
		if s.Part.ID != id {
			continue
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.Part.deadline() + writeTime)) // As in stream.
		s = c.renew(ctx, v, s, nil)
		// Its heading must not have the id of one on the page.
		s.Turn += 1000 + int(v.Now.Unix()%1_000_000)
		status := http.StatusOK
		if s.Trouble != nil && s.Trouble.status != 0 {
			status = s.Trouble.status
		}
		c.views.write(w, v.request, status, "part", s)
		return
	}
	c.refuse(w, v, http.StatusNotFound, "There is no such part.")
}

// refuse answers with a page that has a sentence alone.
func (c *Console) refuse(w http.ResponseWriter, v *Visit, status int, why string) {
	c.views.write(w, v.request, status, "refusal", refusalView{Frame: c.frame(v, http.StatusText(status)), Text: why})
}

// refusalView is what the template of a refusal shows.
type refusalView struct {
	Frame
	Text string
}

// writer writes a page in pieces. After a failure it writes nothing.
type writer struct {
	console    *Console
	to         http.ResponseWriter
	controller *http.ResponseController
	failed     bool
}

func (w *writer) write(name string, data any) {
	if w.failed {
		return
	}
	if err := w.console.views.templates.ExecuteTemplate(w.to, name, data); err != nil {
		w.failed = true
		// The page has begun, so nobody can be told but the log. That a browser has gone
		// is no fault.
		w.console.options.Logger.Debug("a page of the console ends early", "template", name, "error", err.Error())
	}
}

func (w *writer) flush() {
	if !w.failed && w.controller.Flush() != nil {
		w.failed = true
	}
}
