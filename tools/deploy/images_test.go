package deploy

import (
	"regexp"
	"strings"
	"testing"
)

var (
	// pinned is an image with a full version and a digest; a version of distroless is
	// its digest alone.
	pinned = regexp.MustCompile(`^[a-z0-9./-]+:(v?\d+\.\d+\.\d+(-[a-z0-9]+)?|nonroot)@sha256:[0-9a-f]{64}$`)
	// released is the gateway's own image in an overlay, by version or digest.
	released = regexp.MustCompile(`^[a-z0-9./-]+(:v\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$`)
)

// TestImagesArePinned: no image can come to mean another one without a change here.
func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	seen := 0
	check := func(where, image string) {
		t.Helper()
		seen++
		if !pinned.MatchString(image) {
			t.Errorf("%s: %s has no full version with a digest", where, image)
		}
	}
	dockerfile := read(t, "../../Dockerfile")
	for line := range strings.Lines(dockerfile) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "FROM" {
			for len(fields) > 1 && strings.HasPrefix(fields[1], "--") {
				fields = fields[1:]
			}
			check("Dockerfile", fields[1])
		}
	}
	if strings.Contains(dockerfile, "syntax=") {
		t.Error("Dockerfile: its syntax is an image, too")
	}
	for name, s := range compose(t).Services {
		if s.Build == nil { // What is built here has no digest before.
			check("compose: "+name, s.Image)
		}
	}
	if seen != 5 {
		t.Errorf("%d images were checked", seen)
	}
	pod := build(t).pod()
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		if !released.MatchString(c.Image) {
			t.Errorf("%s: %s has neither a version nor a digest", c.Name, c.Image)
		}
	}
}
