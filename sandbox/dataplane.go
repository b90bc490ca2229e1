package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// The data plane is the API that the keys of projects are for. Two operations are
// enough to find out whether a key works: they belong to no Admin API, so
// [Sandbox.Operations] does not list them, a fault for "*" does not meet them, and no
// budget limits them. They are counted, and faults can name them.

// dataOperation is an operation of the data plane.
type dataOperation struct {
	method, path string
	// scope is what a restricted key needs for it.
	scope string
	serve func(*dataCall) (any, error)
}

func (o *dataOperation) name() string { return o.method + " " + o.path }

// dataCall is a call with a key that works.
type dataCall struct {
	body []byte
	id   uint64 // of the request
	now  int64  // Unix seconds
}

// scopeOfReads lets a key read everything, and nothing else.
const scopeOfReads = "api.all.read"

func dataPlane() []dataOperation {
	return []dataOperation{
		{http.MethodGet, "/models", "api.model.read", listModels},
		{http.MethodPost, "/chat/completions", "api.model.request", completeChat},
	}
}

// dataOperation returns the operation of the data plane for a path below the base path.
func (s *Sandbox) dataOperation(method, path string) *dataOperation {
	for i := range s.dataPlane {
		if op := &s.dataPlane[i]; op.method == method && op.path == "/"+path {
			return op
		}
	}
	return nil
}

// executeData runs an operation of the data plane under the organization's lock, because
// it notes when the key was used.
func (s *Sandbox) executeData(op *dataOperation, authorization string, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.now().Unix()
	token, isBearer := strings.CutPrefix(authorization, "Bearer ")
	if !isBearer || token == "" {
		return refusal(unauthorized("You didn't provide an API key."))
	}
	p, k := s.org.ProjectKey(token)
	switch {
	case k == nil: // Unknown, deleted, or an admin key.
		return refusal(unauthorized("Incorrect API key provided: " + data.Redact(token) + "."))
	case k.Expired(now):
		return refusal(unauthorized("The API key has expired."))
	case ownerAccess(s.org, p, k) != "active":
		return refusal(forbidden("no_project_role", "The owner of the API key has no role in project '%s'.", p.ID))
	case !allows(k.Scopes, op):
		return refusal(forbidden("missing_scope", "You have insufficient permissions for this operation. Missing scopes: %s.", op.scope))
	}
	k.LastUsedAt = new(now)
	result, err := op.serve(&dataCall{body: body, id: s.requestID.Load(), now: now})
	if err != nil {
		return refusal(asAPIError(err))
	}
	return answer{status: http.StatusOK, body: encode(result)}
}

// allows says whether the scopes of a key allow an operation. A key without any is not
// restricted.
func allows(scopes []string, op *dataOperation) bool {
	return len(scopes) == 0 || slices.Contains(scopes, op.scope) ||
		op.method == http.MethodGet && slices.Contains(scopes, scopeOfReads)
}

func forbidden(code, format string, args ...any) *apiError {
	return &apiError{
		status: http.StatusForbidden, kind: invalidRequest, code: code, message: fmt.Sprintf(format, args...),
	}
}

type modelView struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// modelsSince is when the models were made, in Unix seconds.
const modelsSince = 1_735_689_600

func listModels(*dataCall) (any, error) {
	models := []modelView{}
	for _, name := range data.TextModels() {
		models = append(models, modelView{name, "model", modelsSince, "system"})
	}
	return struct {
		Object string      `json:"object"`
		Data   []modelView `json:"data"`
	}{"list", models}, nil
}

type chatMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// completeChat answers with the number of messages that it got. Members that it does not
// know are ignored: the data plane has many.
func completeChat(c *dataCall) (any, error) {
	var asked struct {
		Model    string        `json:"model"`
		Messages []chatMessage `json:"messages"`
		Stream   bool          `json:"stream"`
	}
	if err := json.Unmarshal(c.body, &asked); err != nil {
		return nil, badRequest("", "invalid_json", "The body is not a JSON object of a chat completion.")
	}
	switch {
	case asked.Stream:
		return nil, badRequest("stream", "unsupported_value", "The sandbox does not stream.")
	case len(asked.Messages) == 0:
		return nil, badRequest("messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	case !slices.Contains(data.TextModels(), asked.Model):
		return nil, &apiError{
			status: http.StatusNotFound, kind: invalidRequest, param: "model", code: "model_not_found",
			message: "The model '" + asked.Model + "' does not exist or you do not have access to it.",
		}
	}
	return newCompletion(c, asked.Model, len(asked.Messages), len(c.body)), nil
}

// newCompletion is the completion of a request with so many messages and bytes.
func newCompletion(c *dataCall, model string, messages, size int) any {
	type object = map[string]any
	text := fmt.Sprintf("The sandbox has read %d messages.", messages)
	in, out := size/4+1, len(text)/4+1 // About four bytes make a token.
	return object{
		"id": fmt.Sprintf("chatcmpl-%016x", c.id), "object": "chat.completion", "created": c.now, "model": model,
		"choices": []object{{
			"index": 0, "finish_reason": "stop", "logprobs": nil,
			"message": object{"role": "assistant", "content": text, "refusal": nil, "annotations": []string{}},
		}},
		"usage": object{
			"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out,
			"prompt_tokens_details":     object{"cached_tokens": 0, "audio_tokens": 0},
			"completion_tokens_details": object{"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
		},
		"service_tier": "default",
	}
}
