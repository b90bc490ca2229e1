package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	listProjects = "/admingateway.admin.v1.ProjectService/ListProjects"
	// fetchPatience bounds one request of the preparation.
	fetchPatience = 30 * time.Second
	maxAnswer     = 32 << 20
)

// forms are a request and its answer in each form, without the frame of gRPC.
type forms struct {
	// path is that of the REST door, from /v1 on.
	path string
	// protoRequest and jsonRequest are messages.
	protoRequest, jsonRequest []byte
	// protoAnswer and jsonAnswer are messages, restAnswer is the upstream's own JSON.
	protoAnswer, jsonAnswer, restAnswer []byte
}

// listForms is the list of n projects.
func listForms(n int) forms {
	return forms{
		path:         fmt.Sprintf("/v1/organization/projects?limit=%d", n),
		protoRequest: binary.AppendUvarint([]byte{1 << 3}, uint64(n)),
		jsonRequest:  fmt.Appendf(nil, `{"limit":%d}`, n),
	}
}

// fetch has the gateway at that address answer in each form, which also stores the answer.
func (f *forms) fetch(ctx context.Context, address, token string) error {
	for _, form := range []struct {
		answer            *[]byte
		method, url, kind string
		body              []byte
	}{
		{&f.protoAnswer, http.MethodPost, "http://" + address + listProjects, "application/proto", f.protoRequest},
		{&f.jsonAnswer, http.MethodPost, "http://" + address + listProjects, "application/json", f.jsonRequest},
		{&f.restAnswer, http.MethodGet, "http://" + address + f.path, "", nil},
	} {
		var err error
		if *form.answer, err = fetch(ctx, form.method, form.url, form.kind, token, form.body); err != nil {
			return err
		}
	}
	return nil
}

// fetch makes one request, and returns the body of its answer.
func fetch(ctx context.Context, method, url, kind, token string, body []byte) (answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %.200s", method, url, response.StatusCode, answer)
	}
	return answer, err
}

// framed is a message in the frame of gRPC, not compressed.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}
