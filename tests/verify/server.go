// SPDX-License-Identifier: MIT

// A static Go program: goroutines that talk over a unix socket, and a checksum of what was said.
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { defer c.Close(); io.Copy(c, c) }()
	}
}

func main() {
	l, err := net.Listen("unix", "/tmp/go.sock")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go serve(l)
	var wg sync.WaitGroup
	sums := make([][32]byte, 8)
	for i := range sums {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, _ := net.Dial("unix", "/tmp/go.sock")
			fmt.Fprintf(c, "goroutine %d\n", i)
			line, _ := bufio.NewReader(c).ReadString('\n')
			sums[i] = sha256.Sum256(append([]byte(line), make([]byte, 1<<20)...))
			time.Sleep(time.Millisecond)
		}(i)
	}
	wg.Wait()
	l.Close()
	all := sha256.New()
	for _, s := range sums {
		all.Write(s[:])
	}
	fmt.Printf("%x\n", all.Sum(nil))
	os.Exit(7)
}
