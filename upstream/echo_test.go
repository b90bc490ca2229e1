package upstream_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// longKey has the length of a real one.
const longKey = "sk-admin-CANARY" + "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3" + "_-" + "4aB5cD6eF7gH8iJ9kL0mN1oP2qR3sT4uV5wX6yZ7"

// echoForms are the forms in which a box may send a key back, each with the part of it
// that nobody may see.
func echoForms(key string) map[string][2]string {
	whole := func(form string) [2]string { return [2]string{form, form} }
	escaped := ""
	for _, r := range key {
		escaped += fmt.Sprintf(`\u%04X`, r)
	}
	asJSON, err := json.Marshal(key)
	if err != nil {
		panic(err) // A text can always be written.
	}
	forms := map[string][2]string{
		"plain":             whole(key),
		"JSON":              whole(strings.Trim(string(asJSON), `"`)),
		"Go":                whole(strings.Trim(strconv.Quote(key), `"`)),
		"the header":        {"authorization: Bearer " + key + "\r\nhost: a", key},
		"escapes":           {escaped, escaped},
		"an escape":         {`\u00e9\\u0041\/` + key + `\u00e9`, key},
		"some are escaped":  {fmt.Sprintf(`\u%04x`, key[0]) + key[1:], key[1:]},
		"query":             whole(url.QueryEscape(key)),
		"path":              whole(url.PathEscape(key)),
		"HTML":              whole(html.EscapeString(key)),
		"hexadecimal":       whole(hex.EncodeToString([]byte(key))),
		"capitals":          whole(strings.ToUpper(hex.EncodeToString([]byte(key)))),
		"without a newline": {key + key, key},
	}
	for _, before := range []string{"", "u:", "Bearer ", "Basic u:", "Authorization: Bearer "} {
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.RawURLEncoding} {
			text := encoding.EncodeToString([]byte(before + key + "\r\n"))
			// The characters in the middle are made of the key alone.
			forms[name+" of "+before] = [2]string{text, text[(len(before)+2)*4/3+1 : (len(before)+len(key))*4/3-1]}
		}
	}
	return forms
}

// quote is a text in JSON.
func quote(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}

// TestAnEchoedKeyGoesNoFurther: an answer that has the admin key, in whatever form, as a
// value or as the name of a member, is passed on without it, and is counted and logged.
func TestAnEchoedKeyGoesNoFurther(t *testing.T) {
	t.Parallel()
	for _, key := range append(canaries(), longKey) {
		for form, echo := range echoForms(key) {
			text, hidden := echo[0], echo[1]
			if !json.Valid([]byte(`"` + text + `"`)) {
				continue // Cannot be in an answer.
			}
			for _, body := range []string{
				`{"id":"proj_1","name":"your key is ` + text + `, hide it"}`,
				`{"id":"proj_1","` + text + `":true}`,
				`{"id":"proj_1","name":"é\n","new":[["` + text + `"],"` + text + text + `"]}`,
				`{"id":"proj_1","plain":` + quote(t, key) + `,"name":"` + text + `"}`,
			} {
				var seen attempted
				logged, watched := watch(key)
				client := newClient(t, "https://api.example.com/v1", watched, func(c *upstream.Config) {
					c.Transport, c.Attempts = answer{status: 200, body: body}, &seen
				})
				reply, err := getProject(t).do(t.Context(), client)
				if err != nil {
					t.Errorf("%s: %v", form, err)
					continue
				}
				if said := string(reply.Body); !json.Valid(reply.Body) || strings.Contains(said, hidden) || !strings.Contains(said, `"id":"proj_1"`) {
					t.Errorf("%s is passed on: %s", form, said)
				}
				if diff := cmp.Diff(map[upstream.Masked]int{upstream.MaskedAdminKey: 1}, seen.masked); diff != "" {
					t.Errorf("%s: -want +got:\n%s", form, diff)
				}
				if said := logged.String(); !strings.Contains(said, "sent the admin key back") || strings.Contains(said, hidden) {
					t.Errorf("%s: logged %s", form, said)
				}
			}
		}
	}
}

// TestAPartOfAnEchoedKey: an echo that was cut short is one.
func TestAPartOfAnEchoedKey(t *testing.T) {
	t.Parallel()
	const part = len("sk-admin-CANARY") + 20
	for form, text := range map[string]string{
		"plain": longKey[:part], "hexadecimal": hex.EncodeToString([]byte(longKey[:part])),
		"base64": base64.StdEncoding.EncodeToString([]byte("Bearer " + longKey[:part])),
	} {
		_, watched := watch(longKey)
		client := newClient(t, "https://api.example.com/v1", watched, func(c *upstream.Config) {
			c.Transport = answer{status: 200, body: `{"id":"proj_1","name":"` + text + `..."}`}
		})
		if reply, err := getProject(t).do(t.Context(), client); err != nil || strings.Contains(string(reply.Body), text) {
			t.Errorf("%s: got %s, %v", form, reply.Body, err)
		}
	}
}

// TestAnswersWithoutTheKeyStayAsTheyAre: not a byte of another answer is changed.
func TestAnswersWithoutTheKeyStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"id":"proj_1","name":"\u0041\/\\u0073\""}`, `{"id":"proj_1", "name": "sk-admin-CANARY"}`, `{"id":"proj_1","name":"sk-admin-...nary"}`,
	} {
		var seen attempted
		_, watched := watch(canary)
		client := newClient(t, "https://api.example.com/v1", watched, func(c *upstream.Config) {
			c.Transport, c.Attempts = answer{status: 200, body: body}, &seen
		})
		if reply, err := getProject(t).do(t.Context(), client); err != nil || string(reply.Body) != body || len(seen.masked) != 0 {
			t.Errorf("got %s, %v, want %s; masked %v", reply.Body, err, body, seen.masked)
		}
	}
}

// rotating is a key that changes.
type rotating struct{ key string }

func (r *rotating) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret(r.key), nil
}

// TestTheKeyBeforeIsLookedForToo: a box in between may answer with what it has of the key
// before a rotation.
func TestTheKeyBeforeIsLookedForToo(t *testing.T) {
	t.Parallel()
	var body string
	keys := &rotating{}
	client := newClient(t, "https://api.example.com/v1", func(c *upstream.Config) {
		c.Key, c.Transport = keys, roundTrip(func(r *http.Request) (*http.Response, error) {
			return answer{status: 200, body: body}.RoundTrip(r)
		})
	})
	shows := func(key string) bool {
		t.Helper()
		body = `{"id":"proj_1","name":"` + key + `"}`
		reply, err := getProject(t).do(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(reply.Body), key)
	}
	// Of a form that nothing but the client can recognise.
	const first, second, third = "first/CANARY", "second/CANARY", "third/CANARY"
	for _, step := range []struct {
		key  string
		hide []string
	}{{first, []string{first}}, {second, []string{second, first}}, {second, []string{first}}, {third, []string{third, second}}, {second, []string{second, third}}, {first, []string{first, second}}} {
		keys.key = step.key
		for _, key := range step.hide {
			if shows(key) {
				t.Errorf("with %s, %s is passed on", step.key, key)
			}
		}
	}
}

// TestAnEchoedKeyInAnError: neither an error nor the id of a call has the key, in any of
// its forms.
func TestAnEchoedKeyInAnError(t *testing.T) {
	t.Parallel()
	for _, key := range append(canaries(), longKey) {
		for form, echo := range echoForms(key) {
			text, hidden := echo[0], echo[1]
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Request-Id", text)
				w.WriteHeader(http.StatusBadRequest)
				body, _ := json.Marshal(map[string]any{"error": map[string]string{"message": "you sent " + text, "code": text, "param": text, "type": text}})
				_, _ = w.Write(body)
			})
			logged, watched := watch(key)
			_, err := getProject(t).do(t.Context(), newClient(t, url, watched))
			for _, said := range append(texts(err), failure(t, err).RequestID, logged.String()) {
				if strings.Contains(said, hidden) {
					t.Errorf("%s is shown: %s", form, said)
				}
			}
		}
	}
}
