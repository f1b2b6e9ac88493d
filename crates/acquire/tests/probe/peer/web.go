package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// app is an ordinary HTTP application.
func app() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		seen("root", r)
		fmt.Fprintln(w, "hello")
	})
	mux.Handle("/metrics", promhttp.Handler())
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		say(map[string]any{"event": "echo", "body": string(body), "type": r.Header.Get("Content-Type"),
			"traceparent": r.Header.Get("Traceparent"), "extra": r.Header.Get("X-Extra")})
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /wait", func(_ http.ResponseWriter, r *http.Request) {
		seen("waiting", r)
		<-r.Context().Done()
		seen("left", r)
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(300 * time.Millisecond)
		fmt.Fprintln(w, "late")
	})
	return mux
}

func seen(event string, r *http.Request) {
	say(map[string]any{"event": event, "path": r.URL.Path, "agent": r.UserAgent(),
		"traceparent": r.Header.Get("Traceparent")})
}

// profiles is net/http/pprof on a mux of its own, as it should be.
func profiles() http.Handler {
	mux := profilesWithoutIndex()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	return mux
}

// profilesWithoutIndex mounts each profile by itself.
func profilesWithoutIndex() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/pprof/heap", pprof.Handler("heap"))
	mux.Handle("/debug/pprof/goroutine", pprof.Handler("goroutine"))
	return mux
}

// profilesIndexOnly forgets the four handlers that the index does not serve.
func profilesIndexOnly() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	return mux
}

// page answers everything with one page, as the server of a single-page application does.
func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!doctype html><html><head><title>Shop</title></head><body>`+
		`<a href="goroutine?debug=1">goroutine</a></body></html>`)
}
