package main

import (
	"log"
	"os"
)

func stdLines() {
	for _, flags := range []int{
		0, log.LstdFlags, log.LstdFlags | log.Lmicroseconds, log.LstdFlags | log.LUTC,
		log.LstdFlags | log.Lshortfile, log.LstdFlags | log.Lmicroseconds | log.Llongfile,
		log.Lshortfile, log.Ltime, log.Ldate,
	} {
		stdWith(log.New(os.Stdout, "", flags))
		stdWith(log.New(os.Stdout, "orders: ", flags))
		stdWith(log.New(os.Stdout, "[orders] ", flags|log.Lmsgprefix))
	}
}

func stdWith(log *log.Logger) {
	log.Print("order stored")
	log.Printf("order %d stored in %s for %s", 4711, "12.5ms", "ann@example.com")
	log.Printf("order stored trace_id=%s span_id=%s", traceHex, spanHex)
	log.Print("two\nlines")
}
