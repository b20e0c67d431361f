package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// meter shows how far a long piece of work is: as a bar on a terminal, and as a line at
// each tenth where somebody reads it later. Work comes in stages; a stage with another
// name than the one before begins anew. For one goroutine.
type meter struct {
	out   io.Writer
	shown *progressbar.ProgressBar // nil off a terminal, and before the first stage
	stage string
	tenth uint64 // told of the stage
}

// newMeter shows on out, unless that is nil.
func newMeter(out io.Writer) *meter { return &meter{out: out} }

// tell says that the stage is at done of total; neither says anything about its unit.
func (m *meter) tell(stage string, done, total uint64) {
	if m.out == nil {
		return
	}
	total = max(total, 1)
	done = min(done, total)
	terminal := false
	if f, ok := m.out.(*os.File); ok {
		terminal = isTerminal(f)
	}
	if stage != m.stage {
		m.end()
		m.stage, m.tenth = stage, 0
		if terminal {
			m.shown = progressbar.NewOptions64(int64(total), progressbar.OptionSetWriter(m.out), progressbar.OptionSetDescription(stage),
				progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionSetPredictTime(true),
				progressbar.OptionOnCompletion(func() { fmt.Fprintln(m.out) }))
		}
	}
	if terminal {
		// A bar that cannot be drawn stops nothing.
		m.shown.ChangeMax64(int64(total))
		_ = m.shown.Set64(int64(done))
		return
	}
	if tenth := done * 10 / total; tenth > m.tenth {
		m.tenth = tenth
		fmt.Fprintf(m.out, "%s: %d %%\n", stage, tenth*10)
	}
}

// end leaves the line to whatever is written next. Calling it again does nothing.
func (m *meter) end() {
	if m.shown != nil && !m.shown.IsFinished() {
		_ = m.shown.Exit()
		fmt.Fprintln(m.out)
	}
	m.shown = nil
}
