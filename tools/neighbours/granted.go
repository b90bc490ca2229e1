package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// attackGranted is a caller that may change one project and read everything: it
// deletes nothing there, reads what no cache has, opens streams, and sends requests as
// large as it may.
func attackGranted(ctx context.Context, all *sync.WaitGroup, at target, t *tally) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for worker := range 24 {
		all.Go(func() {
			paths := []string{"users", "groups", "service_accounts", "api_keys", "spend_alerts"}
			for i := worker; ctx.Err() == nil; i++ {
				path := fmt.Sprintf("/organization/projects/%s/%s/none_%d", at.Project, paths[i%len(paths)], i)
				call(ctx, client, at, t, "deletes", http.MethodDelete, path, nil)
			}
		})
	}
	for worker := range 8 {
		all.Go(func() {
			paths := []string{"users/user", "projects/proj", "invites/invite", "groups/group", "admin_api_keys/key", "certificates/cert"}
			for i := worker; ctx.Err() == nil; i++ {
				call(ctx, client, at, t, "reads", http.MethodGet, fmt.Sprintf("/organization/%s_none%d_%d", paths[i%len(paths)], worker, i), nil)
			}
		})
	}
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				stream(ctx, client, at, t, "streams", "/admingateway.inventory.v1.InventoryService/ListProjectUsers")
			}
		})
	}
	// No user's id is as long, so the gateway refuses it when it has read all of it.
	large := []byte(`{"role": "member", "user_id": "` + strings.Repeat("a", 1<<20-64) + `"}`)
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				call(ctx, client, at, t, "large requests", http.MethodPost, "/organization/projects/"+at.Project+"/users", large)
			}
		})
	}
}

// call makes a call at the REST door, and counts its status.
func call(ctx context.Context, client *http.Client, at target, t *tally, what, method, path string, body []byte) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+at.Listen+"/v1"+path, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	do(client, request, at, t, what)
}

// stream opens a stream as Connect has it, and reads it to its end.
func stream(ctx context.Context, client *http.Client, at target, t *tally, what, procedure string) {
	message := append(binary.BigEndian.AppendUint32([]byte{0}, 2), "{}"...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.Listen+procedure, bytes.NewReader(message))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/connect+json")
	request.Header.Set("Connect-Protocol-Version", "1")
	do(client, request, at, t, what)
}

func do(client *http.Client, request *http.Request, at target, t *tally, what string) {
	if at.Token != "" {
		request.Header.Set("Authorization", "Bearer "+at.Token)
	}
	response, err := client.Do(request)
	if err != nil {
		t.add(what + " without an answer")
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // It ends, or the context does.
	_ = response.Body.Close()
	t.add(fmt.Sprintf("%s with %d", what, response.StatusCode))
}
