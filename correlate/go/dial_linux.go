package correlate

import (
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func dialContext(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	dial := dialNamed(d)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			begin(conn)
		}
		return conn, err
	}
}

func dialNamed(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		span := fromContext(ctx)
		if !span.Valid() || d.LocalAddr != nil || d.MultipathTCP() {
			return d.DialContext(ctx, network, address)
		}
		named := *d
		named.Control = nil
		named.ControlContext = func(ctx context.Context, network, address string, raw syscall.RawConn) error {
			if d.ControlContext != nil {
				if err := d.ControlContext(ctx, network, address, raw); err != nil {
					return err
				}
			} else if d.Control != nil {
				if err := d.Control(network, address, raw); err != nil {
					return err
				}
			}
			return connectNamed(network, address, raw, span)
		}
		return named.DialContext(ctx, network, address)
	}
}

// connectNamed starts to connect in a thread whose table names the span, so that the kernel sees it. What
// package net does next, calling connect again, finds it started or completed. An error is the one that net
// would have returned.
func connectNamed(network, address string, raw syscall.RawConn, span SpanContext) error {
	to := sockaddr(network, address)
	if to == nil {
		return nil
	}
	var result error
	err := raw.Control(func(fd uintptr) {
		result = connector().connect(int(fd), to, span)
		if result == syscall.EINPROGRESS {
			// If the answer has already arrived, report it here: connect() would be a second attempt.
			if code, _ := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR); code != 0 {
				result = syscall.Errno(code)
			}
		}
	})
	if err != nil {
		return err
	}
	switch result {
	case nil, syscall.EINPROGRESS, syscall.EALREADY, syscall.EINTR, syscall.EISCONN:
		return nil
	}
	return os.NewSyscallError("connect", result)
}

// sockaddr is nil for anything but a TCP address, and for one with a zone.
func sockaddr(network, address string) syscall.Sockaddr {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") || to.Addr().Zone() != "" {
		return nil
	}
	if network == "tcp4" {
		return &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

type call struct {
	fd   int
	to   syscall.Sockaddr
	span SpanContext
	done chan<- error
}

// connects is a goroutine with its own thread and table, which calls connect() for all others:
// only then does a thread in Go do one connect at a time and send nothing else.
type connects chan call

var connector = sync.OnceValue(func() connects {
	calls := make(connects)
	go calls.serve()
	return calls
})

func (c connects) connect(fd int, to syscall.Sockaddr, span SpanContext) error {
	done := make(chan error, 1)
	c <- call{fd, to, span, done}
	return <-done
}

// Replaced by tests, to observe what the kernel would see.
var connectCall = syscall.Connect

func (c connects) serve() {
	runtime.LockOSThread()
	t := newTable(1, flagOwnThread)
	// On its own connection: each announces one table.
	var own announcer
	var announced time.Time
	for call := range c {
		if t == nil {
			call.done <- nil // net connects
			continue
		}
		if announced.IsZero() || time.Since(announced) >= interval {
			own.write(t.header())
			announced = time.Now()
		}
		record := t.memory[connectingAt:headerSize]
		putRecord(record, call.span)
		err := connectCall(call.fd, call.to)
		putRecord(record, SpanContext{})
		call.done <- err
	}
}
