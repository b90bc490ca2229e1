package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// serveState serves the controls of time and of the organization's state. It returns
// false for any other request.
func (s *Sandbox) serveState(w http.ResponseWriter, r *http.Request, path string) bool {
	name, id, below := strings.Cut(path, "/")
	if below {
		name += "/{id}"
	}
	switch r.Method + " " + name {
	case "GET clock":
		answerState(w, s.clockView(), nil)
	case "POST clock":
		err := s.controlClock(w, r)
		answerState(w, s.clockView(), err)
	case "GET key_life", "GET key_life/{id}":
		life, err := s.LongestKeyLife(id)
		answerState(w, lifeView{seconds(life)}, err)
	case "POST key_life", "POST key_life/{id}":
		var life lifeView
		err := s.controlKeyLife(w, r, id, &life)
		answerState(w, life, err)
	case "POST key":
		var asked struct {
			Value string `json:"value"`
		}
		err := decodeControl(w, r, &asked)
		state, exists := s.Key(asked.Value)
		answerState(w, keyView{exists, state}, err)
	case "GET keys", "GET keys/{id}":
		states, err := s.ProjectKeys(id)
		answerState(w, states, err)
	case "POST external_storage/{id}":
		controlStatus(w, r, id, s.SetExternalStorage)
	case "POST external_keys/{id}":
		controlStatus(w, r, id, s.SetExternalKey)
	default:
		return false
	}
	return true
}

// answerState answers with the view, or with the reason why there is none.
func answerState(w http.ResponseWriter, view any, err error) {
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		writeAnswer(w, refusal(refused))
	case err != nil:
		writeAnswer(w, refusal(badRequest("", "invalid_control", "%s", err)))
	default:
		writeAnswer(w, answer{status: http.StatusOK, body: encode(view)})
	}
}

func noSuchControl(r *http.Request) *apiError {
	return &apiError{
		status: http.StatusNotFound, kind: invalidRequest, code: "unknown_url",
		message: "No such control: " + r.Method + " " + r.URL.Path,
	}
}

type clockView struct {
	Now  time.Time `json:"now"`
	Unix int64     `json:"unix"`
}

func (s *Sandbox) clockView() clockView {
	now := s.Now().UTC()
	return clockView{now, now.Unix()}
}

// controlClock moves the clock by a duration, or sets it.
func (s *Sandbox) controlClock(w http.ResponseWriter, r *http.Request) error {
	var change struct {
		Advance string     `json:"advance"`
		Set     *time.Time `json:"set"`
	}
	if err := decodeControl(w, r, &change); err != nil {
		return err
	}
	switch {
	case (change.Advance == "") == (change.Set == nil):
		return errors.New(`give either "advance", such as "90m", or "set", such as "2026-11-01T00:00:00Z"`)
	case change.Set != nil:
		s.SetClock(*change.Set)
		return nil
	}
	by, err := time.ParseDuration(change.Advance)
	if err != nil {
		return fmt.Errorf("advance: %w", err)
	}
	s.AdvanceClock(by)
	return nil
}

// lifeView is the longest life of a key; 0 means that there is none.
type lifeView struct {
	Seconds int64 `json:"seconds"`
}

func (s *Sandbox) controlKeyLife(w http.ResponseWriter, r *http.Request, project string, life *lifeView) error {
	if err := decodeControl(w, r, life); err != nil {
		return err
	}
	if life.Seconds < 0 || life.Seconds > maxKeyLife {
		return fmt.Errorf("seconds is %d, expected 0 to %d", life.Seconds, maxKeyLife)
	}
	return s.SetLongestKeyLife(project, time.Duration(life.Seconds)*time.Second)
}

type keyView struct {
	Exists bool `json:"exists"`
	KeyState
}

func controlStatus(w http.ResponseWriter, r *http.Request, id string, set func(id, status string) error) {
	var change struct {
		Status string `json:"status"`
	}
	err := decodeControl(w, r, &change)
	if err == nil {
		err = set(id, change.Status)
	}
	answerState(w, change, err)
}

// decodeControl reads one strict JSON value.
func decodeControl(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if decoder.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}
