{{/*
gateway.yaml: what the other values say, with .Values.config over it. Secrets are files,
in folders that deployment.yaml mounts.
*/}}
{{- define "admin-gateway.config" -}}
{{- $secrets := "/etc/gateway/secrets" -}}
{{- /* Half a minute is for calls in flight; terminationGracePeriodSeconds is longer. */ -}}
{{- $config := dict
      "listen" ":8080"
      "ops_listen" ":8081"
      "policy" "/etc/gateway/policy/policy.yaml"
      "audit" (dict "path" "-" "required" true)
      "shutdown" (dict "delay" "10s" "timeout" "45s")
      "upstream" (dict
        "base_url" "https://api.openai.com/v1"
        "admin_key" (dict "file" (printf "%s/upstream/%s" $secrets .Values.adminKey.key))
        "budget" (dict "replica_share" (divf (floor (divf 100 (include "admin-gateway.mostReplicas" . | int))) 100)))
      "cache" (dict "memory" "64MiB")
-}}
{{- if .Values.grpc.enabled -}}
{{- $_ := set $config "grpc_listen" ":8090" -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $config "tls" (dict "cert_file" (printf "%s/tls/tls.crt" $secrets) "key_file" (printf "%s/tls/tls.key" $secrets)) -}}
{{- end -}}
{{- with .Values.redis -}}
{{- if .enabled -}}
{{- $keys := list -}}
{{- range .encryption.keys -}}
{{- $keys = append $keys (dict "file" (printf "%s/cache/%s" $secrets .)) -}}
{{- end -}}
{{- $_ := mustMergeOverwrite $config.cache (dict
      "redis_url" .url
      "redis_password" (dict "file" (printf "%s/redis/%s" $secrets .passwordKey))
      "encryption_keys" $keys) -}}
{{- if .tls.existingSecret -}}
{{- $_ := set $config.cache "redis_ca_file" (printf "%s/redis-tls/ca.crt" $secrets) -}}
{{- if .tls.clientCertificate -}}
{{- $_ := set $config.cache "redis_cert_file" (printf "%s/redis-tls/tls.crt" $secrets) -}}
{{- $_ := set $config.cache "redis_key_file" (printf "%s/redis-tls/tls.key" $secrets) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if include "admin-gateway.leasesInFile" . -}}
{{- $_ := set $config "leases" (dict "path" "/var/lib/admin-gateway/leases.db") -}}
{{- else if .Values.leases.enabled -}}
{{- $_ := set $config "leases" (dict "organization" .Values.leases.organization) -}}
{{- end -}}
# docs/config.md lists every key. Secrets are files; none of them is here.
{{ toYaml (mustMergeOverwrite $config (deepCopy .Values.config)) }}
{{- end -}}
