// An ordinary HTTP server and client: goapp server ADDRESS, goapp client ADDRESS PORT.
// The server ends when its standard input is closed.
package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

var role = os.Args[1]

var output sync.Mutex

func say(line map[string]any) {
	line["app"], line["role"], line["pid"] = "go", role, os.Getpid()
	output.Lock()
	defer output.Unlock()
	json.NewEncoder(os.Stdout).Encode(line)
}

// counted counts a connection's bytes and prints them when it closes. A call and its count are one step; otherwise
// the answer to a request could arrive, and close the connection, before the request is counted.
type counted struct {
	net.Conn
	reading, writing sync.Mutex
	sent, received   int
	once             sync.Once
	closed           func()
}

func (c *counted) Read(into []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.Conn.Read(into)
	c.received += n
	return n, err
}

func (c *counted) Write(from []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.Conn.Write(from)
	c.sent += n
	return n, err
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.reading.Lock()
		defer c.reading.Unlock()
		c.writing.Lock()
		defer c.writing.Unlock()
		local, remote := c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)
		say(map[string]any{
			"event": "end", "local": local.IP.String(), "localPort": local.Port,
			"remote": remote.IP.String(), "remotePort": remote.Port, "sent": c.sent, "received": c.received,
		})
		c.closed()
	})
	return err
}

type listener struct {
	net.Listener
	open *sync.WaitGroup
}

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &counted{Conn: conn, closed: l.open.Done}, nil
}

func serve(address string) error {
	plain, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return err
	}
	say(map[string]any{"event": "listening", "port": plain.Addr().(*net.TCPAddr).Port})
	handler := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		io.Copy(io.Discard, request.Body)
		io.WriteString(w, strings.Repeat("a", 500))
	})
	server := &http.Server{Handler: handler}
	open := &sync.WaitGroup{}
	go server.Serve(listener{plain, open})
	io.Copy(io.Discard, os.Stdin)
	err = server.Close()
	open.Wait()
	return err
}

// Lives as long as a small program does, so that an agent on a busy machine can still read its identity.
const linger = 200 * time.Millisecond

func ask(address, port string) error {
	done := make(chan struct{})
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, to)
		if err != nil {
			return nil, err
		}
		return &counted{Conn: conn, closed: func() { close(done) }}, nil
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	url := "http://" + net.JoinHostPort(address, port) + "/"
	response, err := client.Post(url, "text/plain", strings.NewReader(strings.Repeat("q", 1000)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	<-done
	time.Sleep(linger)
	return nil
}

func main() {
	var err error
	if role == "server" {
		err = serve(os.Args[2])
	} else {
		err = ask(os.Args[2], os.Args[3])
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
