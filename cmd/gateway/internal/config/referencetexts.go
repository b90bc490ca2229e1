package config

// keyTexts describes each key of gateway.yaml in a line. A test fails for a key that
// is not here.
func keyTexts() map[string]string {
	return map[string]string{ //nolint:gosec // It has names of credentials, and no credential.
		"listen":      "Address of the door for all callers: Connect, gRPC, gRPC-Web and REST. `:8080` is port 8080 on every interface. [doors.md](doors.md)",
		"grpc_listen": "Address of the door for gRPC alone, which is several times as fast. Empty: no such door.",
		"ops_listen":  "Address of `/healthz`, `/readyz` and `/metrics`. It asks for no credential unless `ops_tls` does: keep it where only operators reach it.",
		"policy":      "Path of the policy file, which has the callers and their permissions. Required. Read again when it changes. [authorization.md](authorization.md)",

		"tls.cert_file":      "PEM file with the certificate of both doors, and its intermediates. Without TLS, callers' tokens are sent unencrypted.",
		"tls.key_file":       "PEM file with the private key of that certificate, not encrypted.",
		"tls.client_ca_file": "PEM file with the authorities of client certificates. Empty: clients are not asked for a certificate.",
		"tls.spiffe_socket":  "URI of a SPIFFE workload API, such as `unix:///run/spire/agent.sock`, in place of the files.",
		"tls.trust_domains":  "SPIFFE trust domains of callers. Empty: the gateway's own. Goes with `tls.spiffe_socket`.",

		"upstream.base_url":                             "Base URL of the Admin API, which ends with the version.",
		"upstream.admin_key.env":                        "Name of the environment variable that holds the admin key. Either this or `file` is required.",
		"upstream.admin_key.file":                       "Path of the file that holds the admin key. Read again when it changes.",
		"upstream.answers":                              "What becomes of an answer with a value that does not fit: `lenient` leaves that value out and delivers the rest, `strict` refuses the answer. [mapping.md](mapping.md#values-that-do-not-fit)",
		"upstream.budget.organization.calls_per_minute": "Calls a minute that all endpoints together may make. [upstream.md](upstream.md#sizing)",
		"upstream.budget.organization.burst":            "How many of these may be sent at once after a pause; they are part of the calls.",
		"upstream.budget.default.calls_per_minute":      "Calls a minute of each bucket that `buckets` does not name.",
		"upstream.budget.default.burst":                 "How many of these may be sent at once after a pause.",
		"upstream.budget.buckets":                       "Buckets whose budget is known.",
		"upstream.budget.buckets[].name":                "Name of the bucket, as `gateway catalog` lists it under BUDGET.",
		"upstream.budget.buckets[].methods":             "RPCs that spend this bucket in place of their own, by full or short name.",
		"upstream.budget.buckets[].calls_per_minute":    "Calls a minute that the upstream admits.",
		"upstream.budget.buckets[].burst":               "How many of these may be sent at once after a pause.",
		"upstream.budget.replica_share":                 "Part of each budget that this replica spends while Redis is lost: 1 divided by the number of replicas.",

		"authn.issuers":              "Issuers whose JWTs are accepted. [authorization.md](authorization.md#who-calls)",
		"authn.issuers[].url":        "The `iss` of tokens, compared exactly. OIDC discovery begins there, unless there is a `jwks_url`.",
		"authn.issuers[].audiences":  "Audiences: a token needs one of these in `aud`. At least one.",
		"authn.issuers[].algorithms": "Signature algorithms, asymmetric ones. Empty: RS256 and ES256.",
		"authn.issuers[].jwks_url":   "URL of the issuer's keys, in place of OIDC discovery.",
		"authn.issuers[].ca_file":    "PEM file with the authorities that verify the issuer's server, in place of the system's.",
		"authn.issuers[].token_file": "Path of a bearer token for fetching the keys, which a Kubernetes API server requires.",

		"cache.memory":                         "The most memory that stored answers may take. [caching.md](caching.md)",
		"cache.redis_url":                      "Redis that replicas share: `redis://`, `rediss://` for TLS, `redis+sentinel://`, `redis+cluster://`, `unix://`. Empty: each replica has its own cache, keyed writes and budget.",
		"cache.redis_password.env":             "Name of the environment variable that holds the password, in place of one in the URL. The user is the URL's.",
		"cache.redis_password.file":            "Path of the file that holds the password. Read again when it changes, for new connections.",
		"cache.redis_ca_file":                  "PEM file with the authorities that verify Redis' certificate, in place of the system's. This and the next two are for `rediss://`, and are read again when they change, for new connections. [caching.md](caching.md#redis-with-tls)",
		"cache.redis_cert_file":                "PEM file with the certificate that the gateway presents to Redis, and its intermediates. Empty: none.",
		"cache.redis_key_file":                 "PEM file with the private key of that certificate, not encrypted.",
		"cache.encryption_keys":                "Keys that encrypt the data in Redis: 32 random bytes in base64 each. The first encrypts and decrypts; a second one decrypts alone.",
		"cache.encryption_keys[].env":          "Name of the environment variable that holds the key.",
		"cache.encryption_keys[].file":         "Path of the file that holds the key.",
		"cache.lives":                          "Lives of stored answers that differ from the declared ones.",
		"cache.lives[].of":                     "A read, such as `ProjectService/GetProject`, or a resource, such as `projects.users`.",
		"cache.lives[].fresh":                  "How long an answer is used without asking again. `0s` stores nothing.",
		"cache.lives[].stale_while_revalidate": "How long after that it is still served while a new one is fetched.",
		"cache.lives[].stale_if_error":         "How long after that it is still served when no new one can be fetched.",
		"cache.lives[].settled":                "How long an answer is used whose range of time is past.",
		"cache.jitter":                         "Largest part of an answer's freshness that is taken off at random, 0 to 1, so that answers do not all expire together.",

		"ops_tls.cert_file":      "PEM file with the certificate of `ops_listen`. Empty: it is served without TLS.",
		"ops_tls.key_file":       "PEM file with the private key of that certificate, not encrypted.",
		"ops_tls.client_ca_file": "PEM file with the authorities of operators' certificates. With it a certificate is required, except for health. Empty: none is required.",

		"cors.allowed_origins":   "Origins of pages that may call from a browser, exact, such as `https://console.example`, or `*` for all. Empty: no page may.",
		"cors.allow_credentials": "Whether pages may use the browser's credentials, which are client certificates. A bearer token is not one of these.",
		"cors.max_age":           "How long a browser may cache these permissions.",
		"reflection":             "Whether callers with the permission `reflection.read` can read the schema, for `grpcurl` and `buf curl`.",

		"limits.header_bytes":        "The largest header of a request, or metadata of a call. 4KiB to 1MiB.",
		"limits.request_bytes":       "The largest request, both as sent and decompressed. 4KiB to 16MiB.",
		"limits.read_header_timeout": "How long a header, or the beginning of a connection, may take.",
		"limits.read_timeout":        "How long a whole request may take to arrive.",
		"limits.idle_timeout":        "How long a connection without requests stays open.",
		"limits.longest_call":        "Deadline of a call whose caller sets no earlier one. Two minutes at the most.",
		"limits.concurrent_streams":  "Concurrent calls on one HTTP/2 connection.",
		"limits.connections":         "Open connections of each listener. Half of them at most are anonymous, and a new one takes the place of an anonymous one rather than wait. [operations.md](operations.md#places)",
		"limits.connection_age":      "Age at which a client is asked to reconnect, so that new replicas get their share of the calls.",

		"inventory.concurrency":     "Concurrent reads of one inventory stream. 1 to 64. [inventory.md](inventory.md#what-it-costs)",
		"inventory.longest_stream":  "How long an inventory stream lasts whose caller sets no earlier deadline; it then ends with a token to resume from. 1m to 12h.",
		"inventory.outermost_items": "Items of the outermost list, such as projects, that an inventory stream reads before it ends with a token; it holds their names in memory. 100 to 1,000,000.",

		"shutdown.delay":   "How long the gateway continues to serve after SIGTERM while `/readyz` reports that it is not ready, so that load balancers notice.",
		"shutdown.timeout": "The longest time for the whole shutdown, with the delay. A supervisor has to wait longer before it kills the gateway.",

		"log.level":                     "The lowest level that is logged. `PUT /loglevel` on `ops_listen`, from the same machine, changes it while the gateway runs.",
		"telemetry.otlp_endpoint":       "OpenTelemetry collector: `host:port` for gRPC, a URL for HTTP. Empty: nothing is sent.",
		"telemetry.otlp_insecure":       "Whether the connection to the collector has no TLS.",
		"telemetry.otlp_headers":        "Headers of every export; their values are secrets.",
		"telemetry.otlp_headers[].name": "Name of the header.",
		"telemetry.otlp_headers[].env":  "Name of the environment variable that holds its value.",
		"telemetry.otlp_headers[].file": "Path of the file that holds its value.",
		"telemetry.sample_ratio":        "Share of the traces that begin in the gateway and are exported, 0 to 1.",
		"telemetry.service_name":        "Name of the gateway in traces and metrics.",
		"telemetry.send_traceparent":    "Whether the ids of trace and span are sent to the upstream.",

		"audit.path":     "File for the records of calls, or `-` for standard output. On SIGHUP it is opened again. [authorization.md](authorization.md#the-record)",
		"audit.required": "Whether a write that cannot be recorded is refused.",
	}
}
