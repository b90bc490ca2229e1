package pages

import (
	"embed"
	"io/fs"

	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/plot"
)

//go:embed *.html
var templates embed.FS

// Templates are the templates of the pages.
func Templates() fs.FS { return templates }

// All are the pages, in the order of the navigation.
func All() []*console.Page {
	drawings := new(plot.Memo)
	return []*console.Page{
		overview(drawings),
		costs(drawings),
		usage(drawings),
		keys(),
		people(),
		activity(),
		callers(),
		cached(),
	}
}
