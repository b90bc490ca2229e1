package console

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Action changes something. Its address, read, is a question that says what will happen;
// the form of the question, sent, does it.
type Action struct {
	// Path is where it is, such as "/keys/revoke". What it is about is in the query.
	Path string
	// Title is the heading of the question.
	Title string
	// Needs is the permission that it takes.
	Needs string
	// Ask finds out what will happen, for the query of v.
	Ask func(ctx context.Context, v *Visit) (Question, error)
	// Do does it, for the form of v, which has the fields of the question. The error of a
	// call is shown as it is.
	Do func(ctx context.Context, v *Visit) (Done, error)

	page *Page
}

// Question is what a person is asked before something is changed.
type Question struct {
	// Sentences say what will happen, to what, and whether it can be undone.
	Sentences []string
	// Facts are about what it happens to, in order.
	Facts []Fact
	// Fields go into the form, and come back in [Visit.Form].
	Fields url.Values
	// Button is what the button says, such as "Revoke the key".
	Button string
	// Danger says that it cannot be undone.
	Danger bool
}

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Done is what an action has done.
type Done struct {
	// Sentences say it.
	Sentences []string
	// Back is the page to go on from; "" is that of the action.
	Back string
}

// actionTimeout bounds an action, whose call may wait for the budget.
const actionTimeout = 2 * time.Minute

// actionView is what the templates of actions show.
type actionView struct {
	Frame
	Action   *Action
	Question Question
	Done     *Done
	Trouble  *trouble
	Back     string
}

// act asks, or does.
func (c *Console) act(ctx context.Context, w http.ResponseWriter, v *Visit, a *Action) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(actionTimeout + writeTime)) // As in stream.
	view := actionView{Frame: c.frame(v, a.Title), Action: a, Back: a.page.Path}
	if a.Needs != "" && !v.Access.May(a.Needs) {
		view.Trouble = &trouble{Permission: a.Needs, Text: "Your caller lacks the permission " + a.Needs + ".", status: http.StatusForbidden}
		c.views.write(w, v.request, view.Trouble.status, "action", view)
		return
	}
	var err error
	if v.Form == nil {
		view.Question, err = a.Ask(ctx, v)
	} else {
		var done Done
		if done, err = a.Do(ctx, v); err == nil {
			view.Done = &done
			if done.Back != "" {
				view.Back = ownPath(done.Back)
			}
		}
	}
	status := http.StatusOK
	if err != nil {
		t := troubleOf(err)
		view.Trouble, status = &t, t.status
	}
	c.views.write(w, v.request, status, "action", view)
}
