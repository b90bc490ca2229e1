package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// Case is one case of the script. Without steps it is a step itself.
type Case struct {
	// Name says what a client has to do. It is a sentence, and the same in all languages.
	Name string `json:"name"`
	// At is the server: "gateway" (the default), "script", or "nobody" where nothing
	// listens.
	At string `json:"at"`
	// Client is how the client is made.
	Client Client `json:"client"`
	// Faults are those of the sandbox, while the case lasts.
	Faults []sandbox.Fault `json:"faults"`
	// Script are the answers of the server "script", in order; the last one again for
	// every call beyond.
	Script []Answer `json:"script"`
	// Steps are made one after the other.
	Steps []Step `json:"steps"`
	Step
}

// Client has the arguments of a package's constructor, by name in place of by value.
type Client struct {
	// Token, TokenFile and TokenProvider are callers of the policy: see openHouse.
	Token         string   `json:"token"`
	TokenFile     string   `json:"token_file"`
	TokenProvider []string `json:"token_provider"`
	// Certificate is whether it has a client certificate.
	Certificate bool `json:"certificate"`
	// CA is "house" (the default), "other" or "none".
	CA        string  `json:"ca"`
	Address   string  `json:"address"` // in place of the server's
	Deadline  float64 `json:"deadline"`
	Attempts  int     `json:"attempts"`
	UserAgent string  `json:"user_agent"`
}

// Step is one command to the runner, and what comes of it.
type Step struct {
	// Before is done ahead of it.
	Before *Before `json:"before"`

	Do               string            `json:"do"` // "call" unless it says otherwise
	Method           string            `json:"method"`
	Request          map[string]any    `json:"request"`
	Timeout          float64           `json:"timeout"`
	IdempotencyKey   string            `json:"idempotency_key"`
	NoIdempotencyKey bool              `json:"no_idempotency_key"`
	Headers          map[string]string `json:"headers"`
	// HeaderBytes adds a header of that many bytes.
	HeaderBytes int `json:"header_bytes"`

	// Then happens while the call is under way.
	Then   *Then  `json:"then"`
	Expect Expect `json:"expect"`
}

// Before is what changes ahead of a step.
type Before struct {
	// WriteToken puts the token of a caller into the client's file.
	WriteToken string `json:"write_token"`
	// Expire ends the token of the caller "passing", and waits until it is refused.
	Expire bool `json:"expire"`
	// ClearFaults removes the faults of the case.
	ClearFaults bool `json:"clear_faults"`
}

// Then is something that happens during a call.
type Then struct {
	// Do is "cancel" (the runner cancels), "kill" (the gateway is killed and started
	// again) or "drain" (it is asked to stop, and started again).
	Do string `json:"do"`
	// Once is the operation of the sandbox whose Calls-th call starts it; at the server
	// "script" it is any call.
	Once  string `json:"once"`
	Calls int    `json:"calls"`
}

// Expect is what has to come of a step. What is not set is not looked at.
type Expect struct {
	// Response are members that the response has to have, at all depths.
	Response map[string]any `json:"response"`
	Items    *int           `json:"items"`
	// All is a list of the sandbox, in whose length Items has to agree: "projects".
	All       string    `json:"all"`
	AtLeast   int       `json:"items_at_least"`
	Different bool      `json:"ids_differ"`
	IDs       *[]string `json:"ids"`
	Progress  bool      `json:"progress"`
	Failures  *int      `json:"failures"`
	Provider  *int      `json:"provider_calls"`
	Hit       *bool     `json:"hit"`
	Error     *Failure  `json:"error"`
	// Upstream are calls of the sandbox during the step, by operation.
	Upstream map[string]int `json:"upstream"`
	// Record are members of the gateway's last record of the method.
	Record map[string]any `json:"record"`
	// Seen is what the server "script" saw.
	Seen *Seen `json:"seen"`
}

// Failure is an error as a client has to report it.
type Failure struct {
	Kind       string   `json:"kind"`
	Kinds      []string `json:"kinds"` // one of these
	Code       string   `json:"code"`
	Reason     *string  `json:"reason"`
	Permission string   `json:"permission"`
	Project    string   `json:"project"`
	Fields     []string `json:"fields"`
	// Retry is whether it says when to try again.
	Retry     *bool `json:"retry"`
	RequestID bool  `json:"request_id"`
	Missing   *int  `json:"missing"`
	// Never are texts that must not be in the message.
	Never []string `json:"never"`
}

// Seen is what arrived at the server "script".
type Seen struct {
	Calls *int `json:"calls"`
	// Keys is how many different idempotency keys came.
	Keys *int `json:"keys"`
	// Without is how many calls came without one.
	Without   *int   `json:"without_key"`
	UserAgent string `json:"user_agent"` // a regular expression
	// Deadline says whether calls have one, at most as long as the step's.
	Deadline bool `json:"deadline"`
	// Canceled says whether the server saw the call end.
	Canceled bool `json:"canceled"`
	// Longer is the least time between the first and the last call, in seconds.
	Longer float64 `json:"lasts"`
}

// readCases reads all files of a folder. A member that no case has is an error.
func readCases(folder string, only *regexp.Regexp) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no cases in %s", folder)
	}
	var all []Case
	names := make(map[string]bool)
	for _, file := range files {
		cases, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range cases {
			if names[c.Name] {
				return nil, fmt.Errorf("%s: the case %q is there twice", file, c.Name)
			}
			names[c.Name] = true
			if only.MatchString(c.Name) {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no case has such a name")
	}
	return all, nil
}

func readFile(file string) ([]Case, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	// The faults of the sandbox have names for JSON.
	data, err = json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var cases []Case
	if err := decoder.Decode(&cases); err != nil {
		return nil, err
	}
	for i := range cases {
		if err := cases[i].complete(); err != nil {
			return nil, fmt.Errorf("%q: %w", cases[i].Name, err)
		}
	}
	return cases, nil
}

// complete sets what a case leaves out.
func (c *Case) complete() error {
	if c.Name == "" {
		return errors.New("a case needs a name")
	}
	if c.At == "" {
		c.At = "gateway"
	}
	if len(c.Steps) == 0 {
		c.Steps = []Step{c.Step}
	}
	if (c.At == "script") != (len(c.Script) > 0) {
		return errors.New("a script is for the server of that name")
	}
	for i := range c.Steps {
		if c.Steps[i].Do == "" {
			c.Steps[i].Do = "call"
		}
	}
	return nil
}
