package main

import (
	"context"
	"regexp"
)

// mock is the Admin API as the description says: it validates requests and answers
// with what the schemas allow.
type mock struct {
	*process
	url string
}

// startMock starts Prism on a port that is free.
func startMock(ctx context.Context, prism, description string) (*mock, error) {
	listening := regexp.MustCompile(`Prism is listening on (http://127\.0\.0\.1:\d+)`)
	p, url, err := start(ctx, func(line string) (string, bool) {
		match := listening.FindStringSubmatch(line)
		if match == nil {
			return "", false
		}
		return match[1], true
	}, "node", prism, "mock", "--host", "127.0.0.1", "--port", "0", description)
	if err != nil {
		return nil, err
	}
	return &mock{p, url}, nil
}
