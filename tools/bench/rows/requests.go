package rows

import (
	"fmt"

	"github.com/admin-gateway/admin-gateway/tools/bench/drive"
)

const getProject = "/admingateway.admin.v1.ProjectService/GetProject"

// projectJSON is a project as the upstream has it.
const projectJSON = `{"object":"organization.project","id":"proj_AMjpb18YUsKrQRxdhIYi6Sn7","name":"Measurements","created_at":1748925803,"archived_at":null,"status":"active","external_key_id":null,"residency":"GLOBAL"}`

// projectID is that of a project with a number.
func projectID(number int) string { return fmt.Sprintf("proj_%024d", number) }

// restRequest is a GET of a project's path over HTTP/1.1.
func (s *suite) restRequest(address string, number int) []byte {
	return fmt.Appendf(nil, "GET /v1/organization/projects/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", projectID(number), address, s.token.Value)
}

// projectRequest is the message of GetProject.
func projectRequest(number int) []byte {
	id := projectID(number)
	return append([]byte{1<<3 | 2, byte(len(id))}, id...)
}

// connectRequest asks for a project over Connect with protobuf.
func (s *suite) connectRequest(address string, number int) []byte {
	message := projectRequest(number)
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/proto\r\nContent-Length: %d\r\n\r\n%s",
		getProject, address, s.token.Value, len(message), message)
}

// distinct is a closed loop of calls about projects of their own, from a number on.
func distinct(address string, connections, from, calls int, request func(address string, number int) []byte) drive.Plan {
	return drive.Plan{
		Address: address, Connections: connections, Calls: calls,
		Request: func(call int) []byte { return request(address, from+call) },
	}
}
