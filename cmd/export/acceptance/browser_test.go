package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pictures names a folder in which pictures of pages are kept for who wants to look at them.
const pictures = "ROLLCALL_PICTURES"

// browser starts Chromium, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{os.Getenv("ROLLCALL_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium here, so nobody looks at the report: apt-get install chromium, or name it in ROLLCALL_CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Run(ctx); err != nil {
		t.Skipf("Chromium is at %s and does not start, so nobody looks at the report: %v", path, err)
	}
	return ctx
}

// heard is what a page asked of the network, and what it complained about.
type heard struct {
	mu                 sync.Mutex
	requests, troubles []string
}

func (h *heard) listen(event any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		h.requests = append(h.requests, e.Request.URL)
	case *log.EventEntryAdded:
		h.troubles = append(h.troubles, string(e.Entry.Level)+": "+e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		h.troubles = append(h.troubles, "console: "+string(e.Type))
	case *runtime.EventExceptionThrown:
		h.troubles = append(h.troubles, e.ExceptionDetails.Text)
	}
}

// look opens a page at three widths, in both colour schemes and as print, and holds it against what any
// reader needs. It asks nothing of the network but the page itself.
func look(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	tab, leave := chromedp.NewContext(ctx)
	defer leave()
	h := &heard{}
	chromedp.ListenTarget(tab, h.listen)
	address := "file://" + path
	if err := chromedp.Run(tab, network.Enable(), log.Enable(), runtime.Enable(), chromedp.Navigate(address), chromedp.WaitReady("footer")); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{360, 820, 1400} {
		for _, scheme := range []string{"light", "dark"} {
			see(t, tab, path, fmt.Sprintf("%d-%s", width, scheme), width, "screen", scheme)
		}
	}
	see(t, tab, path, "print", 720, "print", "dark") // paper is white, whatever the screen is
	printed(t, tab, path)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, request := range h.requests {
		if request != address && request != "data:," {
			t.Errorf("the page asked for %s", request)
		}
	}
	if len(h.requests) == 0 {
		t.Error("no request was heard, not even that for the page: the test shows nothing")
	}
	if len(h.troubles) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(h.troubles, "; "))
	}
}

// see looks at the page in one shape.
func see(t *testing.T, tab context.Context, path, shape string, width int64, medium, scheme string) {
	t.Helper()
	var found []string
	var picture []byte
	media := emulation.SetEmulatedMedia().WithMedia(medium).WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}})
	if err := chromedp.Run(tab, chromedp.EmulateViewport(width, 900), media, chromedp.Evaluate(inspection, &found)); err != nil {
		t.Fatalf("%s: %v", shape, err)
	}
	for _, problem := range found {
		t.Errorf("%s: %s", shape, problem)
	}
	folder := os.Getenv(pictures)
	if folder == "" {
		return
	}
	if err := chromedp.Run(tab, chromedp.FullScreenshot(&picture, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, strings.TrimSuffix(filepath.Base(path), ".html")+"-"+shape+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// printed makes a PDF, as a person who keeps the page would.
func printed(t *testing.T, tab context.Context, path string) {
	t.Helper()
	var pdf []byte
	err := chromedp.Run(tab, emulation.SetEmulatedMedia(), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		pdf, _, err = page.PrintToPDF().WithPaperWidth(8.27).WithPaperHeight(11.69).Do(ctx)
		return err
	}))
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF") {
		t.Errorf("printing gives %d bytes, %v", len(pdf), err)
	}
	if folder := os.Getenv(pictures); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, strings.TrimSuffix(filepath.Base(path), ".html")+".pdf"), pdf, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// inspection gives everything about a page, as it is shown now, that would keep somebody from reading it.
const inspection = `(() => {
  const found = [], say = (what, e) => found.push(what + (e ? ': <' + e.tagName + ' class="' + (e.getAttribute('class') || '') + '"> ' + (e.textContent || '').trim().slice(0, 60) : ''));
  const all = selector => [...document.querySelectorAll(selector)];
  const seen = e => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getBoundingClientRect().width > 0;
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    say('the page is ' + root.scrollWidth + ' wide in a window of ' + root.clientWidth);
    all('main *').filter(e => seen(e) && e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest('.scroll')).slice(0, 3).forEach(e => say('too wide', e));
  }
  // text that is cut or scrolls sideways, but for the wide table that says so
  for (const e of all('main *, header *')) {
    if (e.closest('svg') || !seen(e) || e.closest('.scroll:has(.history)')) continue;
    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display !== 'inline') say('cut by ' + (e.scrollWidth - e.clientWidth), e);
  }
  // labels of charts
  for (const svg of all('.chart > svg')) {
    const frame = svg.getBoundingClientRect(), boxes = [...svg.querySelectorAll('text')].map(e => [e, e.getBoundingClientRect()]);
    for (const [e, b] of boxes) {
      if (b.left < frame.left - 0.5 || b.right > frame.right + 0.5 || b.top < frame.top - 0.5 || b.bottom > frame.bottom + 0.5) say('a label leaves its chart', e);
      if (b.height < 9) say('a label is ' + b.height + ' high', e);
      for (const [o, c] of boxes) if (e !== o && b.left < c.right && c.left < b.right && b.top < c.bottom - 2 && c.top < b.bottom - 2) say('labels overlap: ' + o.textContent, e);
    }
  }
  // contrast
  const channels = text => { const m = text.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const paper = e => { for (let at = e; at; at = at.parentElement) { const c = channels(getComputedStyle(at).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
  for (const e of all('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || ['TITLE', 'STYLE', 'title'].includes(e.tagName) || !seen(e)) continue;
    const style = getComputedStyle(e), ink = channels(e.closest('svg') ? style.fill : style.color), got = ratio(ink, paper(e));
    if (got < 4.5) say('contrast ' + got.toFixed(2), e);
  }
  for (const e of all('.line, circle, .swatch, .shares rect')) {
    if (!seen(e)) continue;
    const style = getComputedStyle(e), ink = channels(e.matches('.line') ? style.stroke : style.fill), got = ratio(ink, paper(e.closest('figure, section')));
    if (got < (e.matches('.shares rect, .swatch') ? 1.3 : 3)) say('contrast of a drawing ' + got.toFixed(2), e);
  }
  // what a screen reader and a keyboard need
  if (all('h1').length !== 1 || all('main').length !== 1 || all('header').length !== 1 || all('nav[aria-label]').length !== 1) say('landmarks or h1 are missing or doubled');
  let level = 1;
  for (const h of all('h1, h2, h3, h4')) { const l = +h.tagName[1]; if (l > level + 1) say('a heading skips a level', h); level = l; }
  const ids = all('[id]').map(e => e.id);
  if (new Set(ids).size !== ids.length) say('an id is there twice: ' + ids.filter((id, i) => ids.indexOf(id) !== i));
  for (const e of all('[aria-labelledby]')) for (const id of e.getAttribute('aria-labelledby').split(' ')) if (!document.getElementById(id)) say('no element is ' + id, e);
  for (const e of all('svg')) if (e.getAttribute('role') !== 'img' && !e.closest('[aria-hidden=true]')) say('a picture without a text', e);
  for (const e of all('a[href^="#"]')) if (!document.getElementById(e.getAttribute('href').slice(1))) say('a link leads nowhere', e);
  for (const e of all('th')) if (!e.scope) say('a heading of a table says nothing of what it heads', e);
  for (const e of all('.scroll')) if (e.tabIndex !== 0 || !e.getAttribute('aria-label')) say('a region that scrolls and can not be reached by keyboard', e);
  if (all('script, iframe, object, embed, img, [onclick], [style]').length) say('the page holds what it must not');
  return [...new Set(found)].slice(0, 40);
})()`

// TestPagesGiven looks at pages that somebody made before: ROLLCALL_PAGES names their folder.
func TestPagesGiven(t *testing.T) {
	pages, err := filepath.Glob(os.Getenv("ROLLCALL_PAGES") + "/*.html")
	if err != nil || len(pages) == 0 {
		t.Skip("ROLLCALL_PAGES names no folder with pages")
	}
	ctx := browser(t)
	for _, path := range pages {
		look(t, ctx, path)
	}
}
