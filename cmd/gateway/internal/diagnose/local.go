package diagnose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/admin-gateway/admin-gateway/service/audit"
)

// listeners binds each address, and lets it go again.
func (d *diagnosis) listeners(ctx context.Context) {
	c := d.Config
	for _, l := range []struct{ key, address string }{
		{"listen", c.Listen}, {"grpc_listen", c.GRPCListen}, {"vault_listen", c.VaultListen}, {"console_listen", c.ConsoleListen}, {"ops_listen", c.OpsListen},
	} {
		if l.address == "" {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.address)
		switch {
		case err == nil:
			_ = listener.Close()
			d.ok(l.key, l.address+" is free")
		case errors.Is(err, syscall.EADDRINUSE):
			d.warn(l.key, l.address+" is in use: by a gateway that runs, or by another program")
		default:
			d.failure(l.key, err.Error()+": give it an address of this machine, with a port that this user may open")
		}
	}
}

// audit opens where records go, and leaves it as it was.
func (d *diagnosis) audit(ctx context.Context) {
	const key = "audit.path"
	path := d.Config.Audit.Path
	if path == "-" || path == "" {
		d.ok(key, "standard output")
		return
	}
	if address, remote, err := audit.ParseAddress(path); err == nil && remote {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		d.result(key, address.Reach(ctx), "the collector answers", "calls that must be recorded are refused until it does")
		return
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		d.ok(key, "not a file, but "+kindOf(info.Mode())+", which is opened when the gateway starts")
		return
	}
	if d.file(key, path, "no record can be written") && err == nil && info.Mode().Perm()&othersMayRead != 0 {
		d.warn(key, fmt.Sprintf("every user of this machine may read the records (mode %#o)", info.Mode().Perm()))
	}
}

// file tells whether a file can be written to, or made where there is none; lost says what
// is lost where neither is so.
func (d *diagnosis) file(key, path, lost string) bool {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.result(key, writableFolder(filepath.Dir(path)), "there is no file yet, and one can be made", lost+"; make the folder, for the user of the gateway")
	case err != nil:
		return d.result(key, err, "", lost)
	case !info.Mode().IsRegular():
		return d.result(key, errors.New("is not a file"), "", lost)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		err = file.Close()
	}
	return d.result(key, err, fmt.Sprintf("can be written to; it has %d bytes, and was changed %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339)), lost)
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeCharDevice != 0:
		return "a device"
	}
	return "something else"
}

// ledgerFile looks at the file of a ledger. It is not opened: a gateway that runs has it.
func (d *diagnosis) ledgerFile(context.Context) {
	const key = "leases.path"
	path := d.Config.Leases.Path
	if path != "" && d.file(key, path, "no lease can be given") {
		d.openFile(key, path)
	}
}

// writableFolder makes a file in a folder, and removes it.
func writableFolder(folder string) error {
	file, err := os.CreateTemp(folder, ".gateway-check-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
