package main

import (
	"sync/atomic"
	"time"
)

// testClock is the real time and an offset that a test moves.
type testClock struct{ offset atomic.Int64 }

func newTestClock() *testClock { return &testClock{} }

func (c *testClock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *testClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// set moves the clock to an instant.
func (c *testClock) set(to time.Time) { c.advance(to.Sub(c.now())) }
