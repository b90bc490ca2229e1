package data

// eventPayload returns the payload of a seeded event, nil for a type that has none
// in the API. Target is the id that the event is about; email is the address of the
// person who acted.
func eventPayload(eventType, target, email string, project *Project) any {
	role := map[string]string{"role": "member"}
	scopes := map[string]any{"scopes": []string{"api.model.request", "api.model.read"}}
	ips := []string{"203.0.113.0/24", "198.51.100.17"}
	failure := map[string]string{"error_code": "invalid_credentials", "error_message": "The password or code was wrong."}
	configs := map[string]any{"configs": []CertificateRef{{ID: target, Name: "Offices"}}}
	certificates := map[string]any{"certificates": []CertificateRef{{ID: target, Name: "Edge proxy"}}}
	held := map[string]string{
		"id": target, "principal_id": "user-" + target, "principal_type": "user",
		"resource_id": project.ID, "resource_type": "project",
	}
	bound := map[string]any{
		"id": "ws_4711__" + target, "role_id": "role-" + target, "resource_id": "ws_4711__" + target,
		"resource_type": "workspace_connector", "permissions": []string{"connector.use"},
		"workspace_id": "ws_4711", "connector_id": target, "connector_name": "Team wiki",
		"enabled": true, "source": "role_toggle",
	}
	switch eventType {
	case "api_key.created":
		return CreatedPayload{target, scopes}
	case "api_key.updated":
		return ChangedPayload{target, keyChanges(target)}
	case "external_storage.registered":
		return CreatedPayload{target, map[string]any{"geography": "EU", "provider": storageProviders()[3]}}
	case "checkpoint.permission.created":
		return CreatedPayload{target, map[string]string{
			"project_id": project.ID, "fine_tuned_model_checkpoint": "ft:gpt-4o-mini:tickets:" + target[:6],
		}}
	case "external_key.registered", "workload_identity_provider.created":
		return CreatedPayload{target, map[string]any{"name": "Main", "kind": "aws_kms", "rotation_days": 90}}
	case "workload_identity_provider.updated":
		return ChangedPayload{target, map[string]any{"name": "Main", "audience": "https://tokens.example.com"}}
	case "workload_identity_provider.deleted":
		return map[string]string{"id": target, "name": "Main"}
	case "workload_identity_provider_mapping.created":
		return map[string]any{
			"id": target, "identity_provider_id": "wip_" + target,
			"data": map[string]string{"subject": "repo:example/api:ref:refs/heads/main"},
		}
	case "workload_identity_provider_mapping.updated":
		return map[string]any{
			"id": target, "identity_provider_id": "wip_" + target,
			"changes_requested": map[string]string{"subject": "repo:example/api:*"},
		}
	case "workload_identity_provider_mapping.deleted":
		return map[string]string{
			"id": target, "identity_provider_id": "wip_" + target,
			"project_id": project.ID, "service_account_id": "svc_acct_" + target,
		}
	case "group.created":
		return CreatedPayload{target, map[string]string{"group_name": "Incident response"}}
	case "group.updated":
		return ChangedPayload{target, map[string]string{"group_name": "On call"}}
	case "invite.sent":
		return CreatedPayload{target, map[string]string{"email": email, "role": "member"}}
	case "ip_allowlist.created", "ip_allowlist.deleted":
		return map[string]any{"id": target, "name": "Offices", "allowed_ips": ips}
	case "ip_allowlist.updated":
		return map[string]any{"id": target, "allowed_ips": ips[:1]}
	case "ip_allowlist.config.activated", "ip_allowlist.config.deactivated":
		return configs
	case "login.succeeded", "logout.succeeded":
		return struct{}{}
	case "login.failed", "logout.failed":
		return failure
	case "organization.updated":
		return ChangedPayload{target, map[string]string{
			"title": "Example Industries", "name": "example-industries", "description": "Makes examples.",
			"threads_ui_visibility": "OWNERS", "usage_dashboard_visibility": "ANY_ROLE",
			"api_call_logging": "enabled_for_selected_projects", "api_call_logging_project_ids": project.ID,
		}}
	case "project.created":
		return CreatedPayload{target, map[string]string{"name": project.DisplayName(), "title": project.DisplayName()}}
	case "project.updated":
		return ChangedPayload{target, map[string]string{"title": project.DisplayName()}}
	case "rate_limit.updated":
		return ChangedPayload{target, map[string]int64{
			"max_requests_per_1_minute": 5000, "max_tokens_per_1_minute": 2_000_000, "max_images_per_1_minute": 50,
			"max_audio_megabytes_per_1_minute": 100, "max_requests_per_1_day": 1_000_000,
			"batch_1_day_max_input_tokens": 5_000_000_000,
		}}
	case "role.created":
		return map[string]any{
			"id": target, "role_name": "Auditor", "permissions": []string{"api.audit_logs.read"},
			"resource_type": OrganizationResource, "resource_id": "org-example",
		}
	case "role.updated":
		return ChangedPayload{target, map[string]any{
			"role_name": "Auditor", "resource_id": "org-example", "resource_type": OrganizationResource,
			"permissions_added": []string{"api.usage.read"}, "permissions_removed": []string{},
			"description": "Reads what happened.", "metadata": map[string]string{"team": "risk"},
		}}
	case "role.assignment.created", "role.assignment.deleted":
		return held
	case "role.bound_to_resource", "role.unbound_from_resource":
		return bound
	case "service_account.created", "user.added":
		return CreatedPayload{target, role}
	case "service_account.updated", "user.updated":
		return ChangedPayload{target, role}
	case "certificate.created", "certificate.updated":
		return CertificateRef{ID: target, Name: "Edge proxy"}
	case "certificate.deleted":
		return CertificateRef{ID: target, Name: "Edge proxy", Content: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}
	case "certificates.activated", "certificates.deactivated":
		return certificates
	case "api_key.deleted", "checkpoint.permission.deleted", "external_key.removed", "external_storage.removed",
		"group.deleted", "scim.enabled", "scim.disabled", "invite.accepted", "invite.deleted", "project.archived", "project.deleted",
		"rate_limit.deleted", "role.deleted", "service_account.deleted", "user.deleted":
		return TargetPayload{target}
	default:
		return nil
	}
}

// keyChanges returns the changes of a key. The target selects them, and not a random
// number. An empty list of scopes removes every restriction; without a list they stay.
func keyChanges(target string) map[string]any {
	switch target[0] % 4 {
	case 0:
		return map[string]any{"expires_in_seconds": 30 * day}
	case 1:
		return map[string]any{"scopes": []string{}}
	case 2:
		return map[string]any{"scopes": []string{"api.all.read"}, "expires_in_seconds": 30 * day}
	default:
		return map[string]any{"scopes": []string{"api.model.request", "api.model.read"}}
	}
}
