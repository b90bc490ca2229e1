package config

// keyTexts say what each key of gateway.yaml is for, in a line each. A test
// fails for a key that is not here.
func keyTexts() map[string]string {
	return map[string]string{ //nolint:gosec // It says where credentials are, and has none.
		"listen":      "Address of the door for all callers: Connect, gRPC, gRPC-Web and REST. `:8080` is port 8080 on every interface. [doors.md](doors.md)",
		"grpc_listen": "Address of the door for gRPC alone, which is several times as fast; empty is no such door.",
		"ops_listen":  "Address of `/healthz`, `/readyz` and `/metrics`. It asks for no credential unless `ops_tls` does: keep it where only operators reach it.",
		"policy":      "Path of the policy file: who may call, and do what. Required. Read again when it changes. [authorization.md](authorization.md)",

		"tls.cert_file":      "PEM file with the certificate of both doors, and its intermediates. Without TLS, callers' tokens travel as they are.",
		"tls.key_file":       "PEM file with the private key of that certificate, not encrypted.",
		"tls.client_ca_file": "PEM file with the authorities of client certificates. Empty: no client certificate is asked for.",
		"tls.spiffe_socket":  "URI of a SPIFFE workload API, such as `unix:///run/spire/agent.sock`, in place of the files.",
		"tls.trust_domains":  "SPIFFE trust domains of callers; empty is the gateway's own. Goes with `tls.spiffe_socket`.",

		"upstream.base_url":                             "Base URL of the Admin API, without a path behind its version.",
		"upstream.admin_key.env":                        "Name of the environment variable that holds the admin key. Either this or `file` is required.",
		"upstream.admin_key.file":                       "Path of the file that holds the admin key. Read again when it changes.",
		"upstream.budget.organization.calls_per_minute": "Calls a minute that all endpoints together may make. [upstream.md](upstream.md#sizing)",
		"upstream.budget.organization.burst":            "How many of these may go at once after a pause; it is part of the calls.",
		"upstream.budget.default.calls_per_minute":      "Calls a minute of each bucket that is not named.",
		"upstream.budget.default.burst":                 "How many of these may go at once after a pause.",
		"upstream.budget.buckets":                       "Buckets whose budget is known.",
		"upstream.budget.buckets[].name":                "Name of the bucket, as `gateway catalog` lists it under BUDGET.",
		"upstream.budget.buckets[].methods":             "RPCs that spend this bucket in place of their own, by full or short name.",
		"upstream.budget.buckets[].calls_per_minute":    "Calls a minute that the upstream admits.",
		"upstream.budget.buckets[].burst":               "How many of these may go at once after a pause.",
		"upstream.budget.replica_share":                 "Part of each budget that this replica spends while Redis is lost: 1 divided by the number of replicas.",

		"authn.issuers":              "Issuers whose JWTs are accepted. [authorization.md](authorization.md#who-calls)",
		"authn.issuers[].url":        "What a token has as `iss`, compared exactly; where OIDC discovery begins, unless there is a `jwks_url`.",
		"authn.issuers[].audiences":  "What a token may be meant for: it needs one of these in `aud`. At least one.",
		"authn.issuers[].algorithms": "Signature algorithms, asymmetric ones; RS256 and ES256 when there are none.",
		"authn.issuers[].jwks_url":   "Where the issuer's keys are, in place of OIDC discovery.",
		"authn.issuers[].ca_file":    "PEM file with the authorities by which the issuer's server is believed, in place of the system's.",
		"authn.issuers[].token_file": "Path of a bearer token for fetching the keys, as a Kubernetes API server asks for.",

		"cache.memory":                         "The most that answers may take in memory. [caching.md](caching.md)",
		"cache.redis_url":                      "Redis that replicas share: `redis://`, `rediss://` for TLS, `redis+sentinel://`, `redis+cluster://`, `unix://`. Empty: each replica remembers, keeps keyed writes and counts its budget for itself.",
		"cache.redis_password.env":             "Name of the environment variable that holds the password, in place of one in the URL. The user is the URL's.",
		"cache.redis_password.file":            "Path of the file that holds it. Read again when it changes, for new connections.",
		"cache.redis_ca_file":                  "PEM file with the authorities by which Redis' certificate is believed, in place of the system's. For `rediss://`, as are the next two. Read again when it changes, for new connections, as they are. [caching.md](caching.md#redis-with-tls)",
		"cache.redis_cert_file":                "PEM file with the certificate that is shown to Redis, and its intermediates. Empty: none is.",
		"cache.redis_key_file":                 "PEM file with the private key of that certificate, not encrypted.",
		"cache.encryption_keys":                "Keys with which what Redis holds is encrypted: 32 random bytes in base64 each. The first encrypts; a second one still decrypts.",
		"cache.encryption_keys[].env":          "Name of the environment variable that holds the key.",
		"cache.encryption_keys[].file":         "Path of the file that holds the key.",
		"cache.lives":                          "Lives of answers that differ from the declared ones.",
		"cache.lives[].of":                     "A read, such as `ProjectService/GetProject`, or a resource, such as `projects.users`.",
		"cache.lives[].fresh":                  "How long an answer is used without asking again; `0s` keeps nothing.",
		"cache.lives[].stale_while_revalidate": "How long after that it is still served while a new one is fetched.",
		"cache.lives[].stale_if_error":         "How long after that it is still served when none can be had.",
		"cache.lives[].settled":                "How long an answer about a range of time that is past is used.",
		"cache.jitter":                         "Largest part of an answer's freshness that is taken off by chance, 0 to 1, so that answers do not all expire together.",

		"ops_tls.cert_file":      "PEM file with the certificate of `ops_listen`. Empty: it is served without TLS.",
		"ops_tls.key_file":       "PEM file with the private key of that certificate, not encrypted.",
		"ops_tls.client_ca_file": "PEM file with the authorities of operators' certificates, one of which is then asked for, except for health. Empty: none is.",

		"cors.allowed_origins":   "Origins of pages that may call from a browser, exact, such as `https://console.example`; `*` is all. Empty: none may.",
		"cors.allow_credentials": "Whether pages may send what the browser keeps, which is client certificates. A bearer token is not one of these.",
		"cors.max_age":           "How long a browser may remember what it was told about that.",
		"reflection":             "Whether callers with the permission `reflection.read` are told the schema, for `grpcurl` and `buf curl`.",

		"limits.header_bytes":        "The most that the header of a request, or the metadata of a call, may have. 4KiB to 1MiB.",
		"limits.request_bytes":       "The most that a request may have, as it is sent and decompressed. 4KiB to 16MiB.",
		"limits.read_header_timeout": "How long a header, or the beginning of a connection, may take.",
		"limits.read_timeout":        "How long a whole request may take to come.",
		"limits.idle_timeout":        "When a connection without requests is closed.",
		"limits.longest_call":        "When a call ends whose caller sets no earlier deadline. Two minutes at the most.",
		"limits.concurrent_streams":  "Calls at a time on one HTTP/2 connection.",
		"limits.connections":         "Open connections of each listener. On the callers' one port a new one takes the place of one without a request, a stranger's first; at the gRPC door it waits.",
		"limits.connection_age":      "When a client is asked to connect anew, so that new replicas get their part.",

		"inventory.concurrency":     "Reads of one inventory stream that are under way at a time. 1 to 64. [inventory.md](inventory.md#what-it-costs)",
		"inventory.longest_stream":  "When an inventory stream ends with a token to go on from, whose caller sets no earlier deadline. 1m to 12h.",
		"inventory.outermost_items": "Items of its outermost list, such as projects, that an inventory stream goes through before it ends with a token; it holds their names. 100 to 1,000,000.",

		"shutdown.delay":   "How long the gateway serves on after SIGTERM while `/readyz` says that it will not, for load balancers to hear of it.",
		"shutdown.timeout": "The longest that ending may take, with the delay. Whatever kills it has to wait for longer.",

		"log.level":                     "What is logged, from this level on. `PUT /loglevel` on `ops_listen`, from the machine itself, changes it while the gateway runs.",
		"telemetry.otlp_endpoint":       "OpenTelemetry collector: `host:port` for gRPC, a URL for HTTP. Empty: nothing is sent.",
		"telemetry.otlp_insecure":       "Whether the collector is spoken to without TLS.",
		"telemetry.otlp_headers":        "Headers that go with every export; their values are secrets.",
		"telemetry.otlp_headers[].name": "Name of the header.",
		"telemetry.otlp_headers[].env":  "Name of the environment variable that holds its value.",
		"telemetry.otlp_headers[].file": "Path of the file that holds its value.",
		"telemetry.sample_ratio":        "Part of the traces that begin here which is kept, 0 to 1.",
		"telemetry.service_name":        "What the gateway is called in traces.",
		"telemetry.send_traceparent":    "Whether the upstream is told the ids of trace and span.",

		"audit.path":     "File for the records of calls, or `-` for standard output. A file is opened again on SIGHUP. [authorization.md](authorization.md#the-record)",
		"audit.required": "Whether a write that cannot be recorded is refused.",
	}
}
