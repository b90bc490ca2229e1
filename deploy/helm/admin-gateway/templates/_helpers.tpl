{{/* The beginning of all names. */}}
{{- define "admin-gateway.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/*
Labels of every object, by which pods are selected as well. The label
app.kubernetes.io/managed-by is Helm's own to set, and helm.sh/chart would roll the
replicas with every version of the chart.
*/}}
{{- define "admin-gateway.labels" -}}
app.kubernetes.io/name: admin-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The same on one line, for selectors. */}}
{{- define "admin-gateway.selector" -}}
{app.kubernetes.io/name: admin-gateway, app.kubernetes.io/instance: {{ .Release.Name }}}
{{- end -}}

{{- define "admin-gateway.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "admin-gateway.fullname" .) -}}
{{- end -}}

{{/* The image: by digest, where there is one. */}}
{{- define "admin-gateway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* The most replicas that there can be. */}}
{{- define "admin-gateway.mostReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- end -}}

{{/* Whether the ledger of leases is a file: "true", or empty. */}}
{{- define "admin-gateway.leasesInFile" -}}
{{- if and .Values.leases.enabled (not .Values.redis.enabled) -}}true{{- end -}}
{{- end -}}

{{/* Refuses values that contradict each other and that a schema cannot compare. */}}
{{- define "admin-gateway.check" -}}
{{- if and (include "admin-gateway.leasesInFile" .) (ne (include "admin-gateway.mostReplicas" .) "1") -}}
{{- fail "leases without Redis are in a file that one replica has: set autoscaling.enabled to false and replicas to 1" -}}
{{- end -}}
{{- if and .Values.leases.enabled .Values.redis.enabled (not .Values.leases.organization) -}}
{{- fail "leases.organization is required: leases in Redis are kept by the organization's name" -}}
{{- end -}}
{{- if and .Values.policy.existingConfigMap .Values.policy.existingSecret -}}
{{- fail "policy.existingConfigMap and policy.existingSecret are both set" -}}
{{- end -}}
{{- if and .Values.policy.inline (or .Values.policy.existingConfigMap .Values.policy.existingSecret) -}}
{{- fail "policy.inline and an existing policy are both set" -}}
{{- end -}}
{{- end -}}
