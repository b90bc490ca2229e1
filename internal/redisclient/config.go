package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A cache that takes longer than this is worth less than no cache.
const (
	dialTimeout = 50 * time.Millisecond
	ioTimeout   = 30 * time.Millisecond
	poolSize    = 64
)

// Config says where Redis is and how to reach it.
type Config struct {
	// URL is required, and one of
	//
	//	redis://[user[:password]@]host[:port][/database]
	//	unix:///path/to/socket[?db=database]
	//	redis+sentinel://[user[:password]@]sentinel[:port][/database]?master_name=NAME[&addr=sentinel:port]...
	//	redis+cluster://[user[:password]@]node[:port][?addr=node:port]...
	//
	// With "rediss" for "redis", the connections are TLS 1.2 or later. User and
	// password are those of Redis itself, not of the sentinels. There are no
	// further parameters: timeouts and retries are what makes the cache safe
	// to wait for, and are not configurable.
	URL string
	// TLS, if set, is asked at every new connection, so that rotated certificates
	// are picked up. It replaces the settings that the URL implies, which are the
	// system's roots; a ServerName that it leaves out is the connection's host. It
	// is an error with a URL that is not rediss.
	TLS func(ctx context.Context) *tls.Config
	// Credentials, if set, is asked at every new connection, so that a rotated
	// password is picked up. It replaces user and password of the URL.
	Credentials func() (user, password string)
	// OnConnect, if set, is called with every new connection to Redis (and to
	// sentinels), before it is used for anything else. With an error the connection
	// is closed.
	OnConnect func(ctx context.Context, conn *redis.Conn) error
	// Patience, if positive, is for what is worth waiting for longer than for a
	// cache: how long connecting, reading and writing may each take. An operation
	// of a [Redis] takes no longer than its CallTimeout, which has to be raised
	// with it.
	Patience time.Duration
	// SentinelCredentials is asked once, when the client is made. Nil is none.
	SentinelCredentials func() (user, password string)
}

// New returns a client for c. It does not connect yet. The caller
// closes it, after everything that uses it.
//
// An error never has any of the URL's user and password in it.
func New(c Config) (redis.UniversalClient, error) {
	o, err := options(c)
	if err != nil {
		return nil, fmt.Errorf("redis url: %w", err)
	}
	return redis.NewUniversalClient(o), nil
}

func options(c Config) (*redis.UniversalOptions, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		// What url.Parse says quotes the URL, and with it the password.
		return nil, errors.New("is malformed")
	}
	o := &redis.UniversalOptions{
		// A lost operation is a miss; trying again would only make the caller
		// wait for it twice.
		MaxRetries:            -1,
		DialerRetries:         1,
		DialTimeout:           dialTimeout,
		ReadTimeout:           ioTimeout,
		WriteTimeout:          ioTimeout,
		PoolTimeout:           ioTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize,
		MaxActiveConns:        poolSize,
		// Pipelines of two commands need no connections of their own, with
		// buffers for hundreds.
		PipelinePoolSize: -1,
		// Both are more round trips before the first answer.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		OnConnect:                c.OnConnect,
	}
	if c.Patience > 0 {
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.Patience, c.Patience, c.Patience, c.Patience
	}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	o.CredentialsProvider = c.Credentials
	if c.SentinelCredentials != nil {
		o.SentinelUsername, o.SentinelPassword = c.SentinelCredentials()
	}
	if err := setServer(o, u); err != nil {
		return nil, err
	}
	return o, setTLS(o, u, c.TLS)
}

// setServer takes scheme, addresses, database and master from u.
func setServer(o *redis.UniversalOptions, u *url.URL) error {
	query := u.Query()
	take := func(name string) []string {
		values := query[name]
		delete(query, name)
		return values
	}
	database := strings.Trim(u.Path, "/")
	base, mode, _ := strings.Cut(u.Scheme, "+")
	switch {
	case u.Scheme == "unix":
		if u.Host != "" || database == "" {
			return errors.New("unix: must have a path and no host")
		}
		o.Addrs = []string{u.Path}
		database = strings.Join(take("db"), "")
	case base != "redis" && base != "rediss":
		return errors.New("the scheme must be redis, rediss or unix")
	case mode == "":
		o.Addrs = []string{address(u.Host, "6379")}
	case mode == "sentinel":
		o.Addrs = []string{address(u.Host, "26379")}
		o.MasterName = strings.Join(take("master_name"), "")
		if o.MasterName == "" {
			return errors.New("sentinel: master_name is missing")
		}
	case mode == "cluster":
		o.Addrs = []string{address(u.Host, "6379")}
		o.IsClusterMode = true
		if database != "" {
			return errors.New("cluster: there is no database to choose")
		}
	default:
		return errors.New("the scheme must end with +sentinel or +cluster, or neither")
	}
	if mode != "" {
		for _, addr := range take("addr") {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return errors.New("addr: must be host:port")
			}
			o.Addrs = append(o.Addrs, addr)
		}
	}
	if database != "" {
		n, err := strconv.Atoi(database)
		if err != nil || n < 0 {
			return errors.New("the database must be a number")
		}
		o.DB = n
	}
	if len(query) != 0 {
		// Not which: a ? in a password would have made a parameter of its end.
		return errors.New("there is a parameter that has no meaning here")
	}
	return nil
}

// address completes what a URL has as its host.
func address(host, port string) string {
	u := url.URL{Host: host}
	name := u.Hostname()
	if name == "" {
		name = "localhost"
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(name, port)
}

func setTLS(o *redis.UniversalOptions, u *url.URL, config func(context.Context) *tls.Config) error {
	switch {
	case !strings.HasPrefix(u.Scheme, "rediss"):
		if config != nil {
			return errors.New("TLS is configured, and the scheme is not rediss")
		}
		return nil
	case config != nil:
		// All connections are dialled by it: to sentinels, to every node of a
		// cluster, and those that are subscribed.
		o.Dialer = dialTLS(o.DialTimeout, config)
	default:
		// Without a ServerName it is the host of the connection, which in a
		// cluster differs from one connection to the next.
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return nil
}

// dialTLS connects, and makes the handshake, within timeout.
func dialTLS(timeout time.Duration, config func(context.Context) *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: timeout}, Config: config(ctx)}
		return dialer.DialContext(ctx, network, addr)
	}
}
