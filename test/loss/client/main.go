// Command client makes CLIENTS × REQUESTS requests, each labelled with its own span, over one connection per client, and prints a
// line of JSON for each (Request of test/support/loss.ts). usage: client URL CLIENTS REQUESTS [CA]
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"wirespan.invalid/correlate"
)

// The beginning of struct tcp_info of linux/tcp.h.
type tcpInfo struct {
	_             [144]byte
	notSent       uint32
	_             [52]byte
	sent          uint64
	retransmitted uint64
}

// written returns how many bytes of the TCP connection this end has written, after any encryption.
func written(conn net.Conn) uint64 {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	fail(err)
	var info tcpInfo
	size := uint32(unsafe.Sizeof(info))
	fail(raw.Control(func(fd uintptr) {
		syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	}))
	return info.sent - info.retransmitted + uint64(info.notSent)
}

type request struct {
	Side        string `json:"side"`
	Traceparent string `json:"traceparent"`
	From        uint64 `json:"from"`
	To          uint64 `json:"to"`
	Port        int    `json:"port"`
	Service     int    `json:"service"`
	Start       string `json:"start"`
	End         string `json:"end"`
}

var output sync.Mutex

func ask(client *http.Client, url string) {
	var ids [24]byte
	rand.Read(ids[:])
	one := request{Side: "client", Traceparent: fmt.Sprintf("00-%x-%x-01", ids[:16], ids[16:])}
	var conn net.Conn
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			conn = got.Conn
			one.From = written(conn)
		},
	})
	asked, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	fail(err)
	asked.Header.Set("traceparent", one.Traceparent)
	one.Start = strconv.FormatInt(time.Now().UnixNano(), 10)
	answer, err := client.Do(asked)
	fail(err)
	_, err = io.Copy(io.Discard, answer.Body)
	fail(err)
	one.End = strconv.FormatInt(time.Now().UnixNano(), 10)
	one.To = written(conn)
	one.Port, one.Service = conn.LocalAddr().(*net.TCPAddr).Port, conn.RemoteAddr().(*net.TCPAddr).Port
	answer.Body.Close()
	output.Lock()
	defer output.Unlock()
	fail(json.NewEncoder(os.Stdout).Encode(one))
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	fail(err)
	return n
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	url, clients, requests := os.Args[1], number(os.Args[2]), number(os.Args[3])
	trusted := x509.NewCertPool()
	if len(os.Args) > 4 {
		pem, err := os.ReadFile(os.Args[4])
		fail(err)
		trusted.AppendCertsFromPEM(pem)
	}
	var all sync.WaitGroup
	for i := 0; i < clients; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			// A separate connection: on a shared one, the end of a request is unknown.
			client := &http.Client{Transport: correlate.Transport(&http.Transport{
				DialContext:     correlate.DialContext(&net.Dialer{}),
				TLSClientConfig: &tls.Config{RootCAs: trusted},
			}, correlate.TraceParent)}
			defer client.CloseIdleConnections()
			for i := 0; i < requests; i++ {
				ask(client, url)
			}
		}()
	}
	all.Wait()
}
