package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"
)

// nethttpLines makes net/http's own loggers speak.
func nethttpLines() {
	log.SetOutput(os.Stdout)
	mux := http.NewServeMux()
	mux.HandleFunc("/twice", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("boom: order 17") })
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		must(err)
		_, _ = io.WriteString(w, "late")
		_ = conn.Close()
	})
	mux.HandleFunc("/cookie", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b;c", Domain: "not a domain"})
		w.Header().Set("Content-Length", "many")
	})
	mux.HandleFunc("/semicolon", func(_ http.ResponseWriter, r *http.Request) { _ = r.URL.Query() })

	plain := httptest.NewServer(mux)
	for _, path := range []string{"/twice", "/panic", "/hijack", "/cookie", "/semicolon?a=1;b=2"} {
		if response, err := http.Get(plain.URL + path); err == nil {
			_ = response.Body.Close()
		}
	}

	secure := httptest.NewTLSServer(mux)
	address := strings.TrimPrefix(secure.URL, "https://")
	conn, err := net.Dial("tcp", address)
	must(err)
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	_, _ = io.ReadAll(conn)
	_ = conn.Close()
	if response, err := http.Get(secure.URL); err == nil {
		_ = response.Body.Close()
	}

	nowhere, err := url.Parse("http://127.0.0.1:1")
	must(err)
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(nowhere))
	if response, err := http.Get(proxy.URL); err == nil {
		_ = response.Body.Close()
	}
	time.Sleep(200 * time.Millisecond) // The servers log from goroutines of their own.
}
