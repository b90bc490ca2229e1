package schema

// Names of the components that are of the door and not of an operation.
const (
	errorSchema         = "GatewayError"
	refused             = "Refused"
	outcomeUnknown      = "OutcomeUnknown"
	idempotencyKey      = "Idempotency-Key"
	cacheControl        = "Cache-Control"
	requestID           = "X-Request-Id"
	age                 = "Age"
	cacheStatus         = "Cache-Status"
	idempotencyReplayed = "Idempotency-Replayed"
	answerOmitted       = "Gateway-Answer-Omitted"
	retryAfter          = "Retry-After"
	shouldRetry         = "X-Should-Retry"
	authenticate        = "WWW-Authenticate"
)

func sharedParameters() object {
	return object{
		{idempotencyKey, object{
			{"name", idempotencyKey}, {"in", "header"},
			{"description", "A random name for this write, such as a UUID. The same request with the same key is made once, and gets the same answer for 24 hours."},
			{"schema", object{{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}},
		}},
		{cacheControl, object{
			{"name", cacheControl}, {"in", "header"},
			{"description", "`no-cache` asks for an answer of the upstream, `max-age=30` for one that is no older than 30 seconds. Takes the permission budget.spend; without it the header is ignored."},
			{"schema", object{{"type", "string"}}},
		}},
	}
}

func sharedHeaders() object {
	text, count := object{{"type", "string"}}, object{{"type", "integer"}, {"minimum", 0}}
	flag := func(value string) object { return object{{"type", "string"}, {"const", value}} }
	header := func(description string, schema object) object {
		return object{{"description", description}, {"schema", schema}}
	}
	return object{
		{requestID, header("The gateway's id of the call, which its log and its records have too.", text)},
		{cacheControl, header("Nothing on the way may keep the answer.", flag("no-store"))},
		{age, header("Seconds since the upstream gave the answer.", count)},
		{cacheStatus, header("Where the answer comes from, as RFC 9211 writes it.", text)},
		{idempotencyReplayed, header("The answer is that of an earlier request with the same key.", flag("true"))},
		{answerOmitted, header("Members whose values are of another type than here, such as `data[].name`, separated by commas.", text)},
		{retryAfter, header("Seconds to wait before the next try.", count)},
		{authenticate, header("Which credential is missing, with the status 401.", text)},
		{shouldRetry, header("A repetition could make the write twice, or would fail again.", flag("false"))},
	}
}

func sharedResponses() object {
	response := func(description string, names ...string) object {
		headers := object{{requestID, reference("headers", requestID)}, {cacheControl, reference("headers", cacheControl)}}
		for _, name := range names {
			headers.set(name, reference("headers", name))
		}
		return object{
			{"description", description},
			{"headers", headers},
			{"content", jsonContent(reference("schemas", errorSchema))},
		}
	}
	return object{
		{refused, response("The call was refused, or failed. `code` says why.", retryAfter, shouldRetry, authenticate)},
		{outcomeUnknown, response("The write may have been made, or was made and could not be recorded. Read before you write again.", shouldRetry, idempotencyReplayed)},
	}
}

// errorBody is the body of every error at this door.
func errorBody() object {
	text := object{{"type", "string"}}
	describe := func(schema object, description string) object {
		return append(object{{"description", description}}, schema...)
	}
	members := object{
		{"message", describe(text, "For people.")},
		{"type", describe(text, "The upstream's type of the error, or one that its SDKs know, such as `permission_error`.")},
		{"param", describe(object{{"type", []string{"string", "null"}}}, "The member or parameter that is wrong.")},
		{"code", describe(text, "For programs, and stable: the upstream's code, or the gateway's reason in lower case, such as `permission_denied`.")},
		{"id", describe(text, "What was written, with the code `write_not_recorded` alone.")},
	}
	return object{
		{"type", "object"},
		{"description", "Error of the REST door."},
		{"properties", object{{"error", object{
			{"type", "object"},
			{"properties", members},
			{"required", []string{"message", "type", "param", "code"}},
		}}}},
		{"required", []string{"error"}},
	}
}
