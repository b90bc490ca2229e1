package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"text/template"

	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
)

// Nginx says what an nginx does.
type Nginx struct {
	// Upstream is the address, host:port, of the server behind it.
	Upstream string
	// AdminKey is the credential that it sends to the upstream.
	AdminKey string
	// Cache says that it answers from its cache; otherwise it passes each request on.
	Cache bool
	// Token is the bearer token that it asks for. With one it also sends the
	// three headers, and keeps an access log in a buffer. Empty: none of these.
	Token string
	// On has its processors.
	On string
}

// Server is a peer that serves.
type Server struct {
	*machine.Process
	// HTTP1 and HTTP2 are its addresses, host:port. HTTP2 is empty if it has none.
	HTTP1, HTTP2 string
}

// nginxServing is what nginx logs after it has opened its ports.
var nginxServing = regexp.MustCompile(`using the "epoll" event method`)

var nginxConfig = template.Must(template.New("nginx").Parse(`
daemon off;
# One process: it does what a worker does, and ends with the one that started it.
master_process off;
worker_processes 1;
pid {{.Folder}}/nginx.pid;
error_log stderr notice;
events {worker_connections 4096;}
http {
	client_body_temp_path {{.Folder}}/body;
	proxy_temp_path {{.Folder}}/proxy;
	fastcgi_temp_path {{.Folder}}/fastcgi;
	uwsgi_temp_path {{.Folder}}/uwsgi;
	scgi_temp_path {{.Folder}}/scgi;
	tcp_nodelay on;
	keepalive_requests 1000000000;
	http2_max_concurrent_streams 1000;
	{{- if .Token}}
	log_format record escape=json '{"time":"$time_iso8601","request_id":"$request_id","peer":"$remote_addr:$remote_port","request":"$request","status":$status,"cache":"$upstream_cache_status","duration":$request_time}';
	access_log {{.Folder}}/access.log record buffer=64k flush=1s;
	map_hash_bucket_size 256;
	map $http_authorization $known {
		default 0;
		"Bearer {{.Token}}" 1;
	}
	{{- else}}
	access_log off;
	{{- end}}
	{{- if .Cache}}
	proxy_cache_path {{.Folder}}/cache keys_zone=answers:64m;
	{{- end}}
	upstream behind {
		server {{.Upstream}};
		keepalive 64;
		keepalive_requests 1000000000;
	}
	server {
		listen {{.HTTP1}};
		listen {{.HTTP2}} http2;
		location / {
			{{- if .Token}}
			if ($known = 0) {return 401;}
			{{- end}}
			proxy_pass http://behind;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Authorization "Bearer {{.AdminKey}}";
			{{- if .Cache}}
			proxy_cache answers;
			proxy_cache_valid 200 1h;
			proxy_ignore_headers Cache-Control Expires;
			{{- end}}
			{{- if .Token}}
			add_header X-Request-Id $request_id;
			add_header Cache-Status $upstream_cache_status;
			add_header Age $msec;
			{{- end}}
		}
	}
}
`))

// Start starts the nginx, which has its files in the folder.
func (n Nginx) Start(ctx context.Context, folder string) (*Server, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	config, err := os.Create(filepath.Join(folder, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	err = nginxConfig.Execute(config, struct {
		Nginx
		Folder, HTTP1, HTTP2 string
	}{n, folder, ports[0], ports[1]})
	if closed := config.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	process, err := machine.Start(ctx, machine.Command{
		Path: program, Args: []string{"-p", folder, "-c", config.Name()}, On: n.On,
		Output: filepath.Join(folder, "nginx.out"), Ready: nginxServing,
	})
	if err != nil {
		return nil, err
	}
	return &Server{Process: process, HTTP1: ports[0], HTTP2: ports[1]}, nil
}
