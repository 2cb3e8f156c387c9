// Sends COUNT HTTP/2 requests without TLS from Go's own client to its own server, over one connection, STREAMS at once, with
// bodies of up to BODY bytes in each direction. Prints each request's traceparent.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	mathrand "math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
)

func number(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func id(n int) string {
	bytes := make([]byte, n)
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}

func main() {
	count, streams, body := number(1), number(2), number(3)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(make([]byte, mathrand.Intn(body+1)))
	}
	server := &http.Server{Handler: http.HandlerFunc(answer), Protocols: &protocols}
	go server.Serve(listener)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	ask := func(traceparent string) {
		sent := bytes.NewReader(make([]byte, mathrand.Intn(body+1)))
		request, _ := http.NewRequest("POST", "http://"+listener.Addr().String()+"/", sent)
		request.Header.Set("traceparent", traceparent)
		got, err := client.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, got.Body)
		got.Body.Close()
		fmt.Println(traceparent)
	}
	next := make(chan string)
	var done sync.WaitGroup
	for range streams {
		done.Go(func() {
			for traceparent := range next {
				ask(traceparent)
			}
		})
	}
	for range count {
		next <- "00-" + id(16) + "-" + id(8) + "-01"
	}
	close(next)
	done.Wait()
}
