package console

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// form is how a page is looked at.
type form struct {
	name          string
	width, height int64
	dark, script  bool
}

func forms() []form {
	return []form{
		{"wide-light", 1360, 900, false, true},
		{"wide-dark", 1360, 900, true, true},
		{"phone-light", 390, 844, false, true},
		{"phone-dark", 390, 844, true, true},
		{"wide-no-script", 1360, 900, false, false},
	}
}

// fault is what axe-core has to say about a page.
type fault struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML   string
		Target []any
	}
}

// TestPages opens every page that the navigation has, in every form: no fault of
// accessibility that is serious, no error of the script or of the policy of the page, and
// nothing that still waits.
func TestPages(t *testing.T) {
	d := startDemo(t)
	source, folder := axe(t), screenshots(t)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"))...)
	t.Cleanup(cancel)
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			ctx, cancel := chromedp.NewContext(allocator)
			defer cancel()
			ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
			defer cancel()
			says := listen(ctx)
			scheme := "light"
			if f.dark {
				scheme = "dark"
			}
			if err := chromedp.Run(ctx,
				emulation.SetDeviceMetricsOverride(f.width, f.height, 1, f.width < 600),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				emulation.SetScriptExecutionDisabled(!f.script),
				chromedp.Navigate(d.url+"/"),
			); err != nil {
				t.Fatal(err)
			}
			look(ctx, t, f, "login", source, folder)
			var pages []string
			if err := chromedp.Run(ctx,
				chromedp.SendKeys("#token", d.token, chromedp.ByQuery),
				chromedp.Click("form.login button", chromedp.ByQuery),
				chromedp.WaitReady(".who", chromedp.ByQuery), chromedp.WaitReady("footer", chromedp.ByQuery),
			); err != nil {
				t.Fatal(err)
			}
			pages = links(ctx, t)
			if len(pages) < 2 {
				t.Fatalf("the navigation has %q", pages)
			}
			pages = append(pages, "/costs?range=2y&by=model&plot=lines", "/usage?range=90d&by=model&plot=lines", "/none")
			for _, page := range pages {
				if err := chromedp.Run(ctx, chromedp.Navigate(d.url+page), chromedp.WaitReady("footer", chromedp.ByQuery)); err != nil {
					t.Fatalf("%s: %v", page, err)
				}
				look(ctx, t, f, page, source, folder)
			}
			for _, said := range says() {
				if !strings.Contains(said, "404") { // That of "/none".
					t.Errorf("the browser says: %s", said)
				}
			}
		})
	}
}

// listen collects what the browser has to say against a page.
func listen(ctx context.Context) func() []string {
	var mu sync.Mutex
	var all []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			all = append(all, e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
				all = append(all, e.Entry.Text)
			}
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// links are the pages of the navigation.
func links(ctx context.Context, t *testing.T) []string {
	t.Helper()
	var paths []string
	evaluate(ctx, t, `[...document.querySelectorAll("nav a")].map((a) => a.getAttribute("href"))`, &paths)
	return paths
}

// evaluate runs code of the test in the page, also where scripts of pages do not run.
func evaluate(ctx context.Context, t *testing.T, code string, into any) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Evaluate(code, into, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })); err != nil {
		t.Fatalf("%.80s: %v", code, err)
	}
}

// look takes a screenshot of the page, and finds its faults.
func look(ctx context.Context, t *testing.T, f form, page, axe, folder string) {
	t.Helper()
	var image []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&image, 100)); err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if err := os.WriteFile(filepath.Join(folder, fileName(page)+"."+f.name+".png"), image, 0o600); err != nil {
		t.Fatal(err)
	}
	var wide bool
	evaluate(ctx, t, `document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wide)
	if wide {
		t.Errorf("%s is wider than the screen", page)
	}
	var waiting, failed []string
	evaluate(ctx, t, `[...document.querySelectorAll(".part.waiting")].filter((e) => e.checkVisibility()).map((e) => e.dataset.part)`, &waiting)
	evaluate(ctx, t, `[...document.querySelectorAll(".part.failed, .part.denied")].filter((e) => e.checkVisibility()).map((e) => e.innerText)`, &failed)
	if len(waiting)+len(failed) > 0 {
		t.Errorf("%s: waiting %q, failed %q", page, waiting, failed)
	}
	if !f.script {
		return // axe waits with timers, which do not run either.
	}
	var none any
	evaluate(ctx, t, axe+"; null", &none)
	var text string
	evaluate(ctx, t, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`, &text)
	var faults []fault
	if err := json.Unmarshal([]byte(text), &faults); err != nil {
		t.Fatal(err)
	}
	for _, found := range faults {
		where := ""
		for _, node := range found.Nodes {
			where += fmt.Sprintf("\n\t%.200s", node.HTML)
		}
		if found.Impact == "serious" || found.Impact == "critical" {
			t.Errorf("%s: %s (%s): %s%s", page, found.ID, found.Impact, found.Help, where)
		} else {
			t.Logf("%s: %s (%s): %s%s", page, found.ID, found.Impact, found.Help, where)
		}
	}
}
