package vaultdoor

import (
	"net/http"
	"strings"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

const (
	// version is what clients read as Vault's: a form of one, and none that exists.
	version = "0.0.0+admin-gateway"
	// cluster names what answers.
	cluster = "admin-gateway"
)

// systemRoutes are those without a credential. The health is a health check like that of
// the other doors, within the same limits. What a mount is, is the same for everybody.
func systemRoutes() []*route {
	return []*route{
		newRoute([]string{http.MethodGet, http.MethodHead}, "sys/health", healthv1.Health_Check_FullMethodName, healthRequest, healthy),
		newRoute(reads, "sys/seal-status", healthv1.Health_Check_FullMethodName, healthRequest, sealed),
		{verbs: reads, pattern: strings.Split("sys/internal/ui/mounts", "/"), answer: mounts},
		{verbs: reads, pattern: strings.Split("sys/internal/ui/mounts/{path...}", "/"), answer: mountOf},
	}
}

func healthRequest(*exchange) (*healthv1.HealthCheckRequest, error) {
	return &healthv1.HealthCheckRequest{}, nil
}

func healthy(_ *exchange, m *healthv1.HealthCheckResponse) *reply {
	serving, status := m.GetStatus() == healthv1.HealthCheckResponse_SERVING, http.StatusOK
	if !serving {
		status = http.StatusServiceUnavailable
	}
	return &reply{status, map[string]any{
		"initialized": true, "sealed": false, "standby": !serving, "performance_standby": false, //nolint:misspell // Vault's word.
		"replication_performance_mode": "disabled", "replication_dr_mode": "disabled",
		"server_time_utc": time.Now().Unix(), "version": version, "cluster_name": cluster, "cluster_id": "",
	}}
}

func sealed(*exchange, *healthv1.HealthCheckResponse) *reply {
	return &reply{http.StatusOK, map[string]any{
		"type": cluster, "initialized": true, "sealed": false, "t": 0, "n": 0, "progress": 0, "nonce": "", "version": version, "build_date": "", //nolint:misspell // Vault's word.
		"migration": false, "cluster_name": cluster, "cluster_id": "", "recovery_seal": false, "storage_type": cluster,
	}}
}

// describe is what clients ask about a path before they read it.
func describe() map[string]any {
	return map[string]any{
		"accessor": "", "config": map[string]any{"default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": false}, "description": "leases of API keys",
		"external_entropy_access": false, "local": false, "options": nil, "seal_wrap": false, "type": mountType, "uuid": "",
	}
}

func mounts(x *exchange, _ proto.Message) *reply {
	return x.enveloped(envelope{Data: map[string]any{"secret": map[string]any{x.door.mount + "/": describe()}, "auth": map[string]any{}}})
}

func mountOf(x *exchange, _ proto.Message) *reply {
	if path := x.bound["path"]; path != x.door.mount && !strings.HasPrefix(path, x.door.mount+"/") {
		return &reply{http.StatusForbidden, &failure{[]string{"permission denied: there is no mount for this path"}}}
	}
	data := describe()
	data["path"] = x.door.mount + "/"
	return x.enveloped(envelope{Data: data})
}
