package data

// ModelPermissions is a project's list of allowed or denied models, as the API
// shows it.
type ModelPermissions struct {
	Object   string   `json:"object"`
	Mode     string   `json:"mode"` // allow_list or deny_list
	ModelIDs []string `json:"model_ids"`
}

// HostedTools says for each hosted tool whether the project may use it.
type HostedTools map[string]ToolPermission

// ToolPermission says whether a project may use a tool.
type ToolPermission struct {
	Enabled bool `json:"enabled"`
}

// HostedToolNames returns the names of all hosted tools.
func HostedToolNames() []string {
	return []string{"file_search", "web_search", "image_generation", "mcp", "code_interpreter"}
}

func allHostedTools() HostedTools {
	tools := make(HostedTools)
	for _, name := range HostedToolNames() {
		tools[name] = ToolPermission{true}
	}
	return tools
}
