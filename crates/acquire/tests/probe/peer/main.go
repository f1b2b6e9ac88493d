// Command peer is the Go service that the prober's tests talk to.
//
// It opens one listener for each way of speaking, all on port 0, prints their addresses as one
// JSON object, then one JSON object for each thing that a test may want to wait for. It ends when
// its standard input does, so a test that dies leaves nothing behind.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

var (
	printing sync.Mutex
	output   = json.NewEncoder(os.Stdout)
)

// say prints one line for the test.
func say(what map[string]any) {
	printing.Lock()
	defer printing.Unlock()
	if err := output.Encode(what); err != nil {
		os.Exit(1)
	}
}

func listen(addr string) net.Listener {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// serve starts an HTTP server and gives its address.
func serve(addr string, server *http.Server) string {
	listener := listen(addr)
	go func() { log.Fatal(server.Serve(listener)) }()
	return listener.Addr().String()
}

func main() {
	log.SetOutput(os.Stderr)
	mixed := &http.Server{Handler: app(), Protocols: new(http.Protocols)}
	mixed.Protocols.SetHTTP1(true)
	mixed.Protocols.SetUnencryptedHTTP2(true)
	tls := httptest.NewUnstartedServer(app())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()

	addresses := map[string]any{
		"grpc":       serveGRPC(full),
		"grpc_alpha": serveGRPC(alphaOnly),
		"grpc_bare":  serveGRPC(bare),
		"grpc_tls":   serveGRPC(bare, grpc.Creds(credentials.NewTLS(tls.TLS))),
		"app":        serve("127.0.0.1:0", &http.Server{Handler: app()}),
		"mixed":      serve("127.0.0.1:0", mixed),
		"http_tls":   tls.Listener.Addr().String(),
		"pprof":      serve("127.0.0.1:0", &http.Server{Handler: profiles()}),
		"pprof_bare": serve("127.0.0.1:0", &http.Server{Handler: profilesWithoutIndex()}),
		"pprof_part": serve("127.0.0.1:0", &http.Server{Handler: profilesIndexOnly()}),
		"spa":        serve("127.0.0.1:0", &http.Server{Handler: http.HandlerFunc(page)}),
	}
	if listener, err := net.Listen("tcp", "[::1]:0"); err == nil {
		addresses["pprof_v6"] = listener.Addr().String()
		go func() { log.Fatal(http.Serve(listener, profiles())) }()
	}
	say(addresses)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
