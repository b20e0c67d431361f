package readapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"daybook/internal/httpapi"
	"daybook/projections"
)

// House is what tells how the house is.
type House struct {
	Metrics http.Handler
	Checks  map[string]func(context.Context) error // what must be in order for requests to be taken
	// Warnings is what an operator has to know although requests are taken; nil for nothing.
	Warnings func() []string
	Status   func() []projections.Status
}

const checkTimeout = 3 * time.Second

type readiness struct {
	Ready    bool              `json:"ready"`
	Checks   map[string]string `json:"checks"`
	Warnings []string          `json:"warnings,omitempty"`
	Views    []viewStatus      `json:"views"`
}

type viewStatus struct {
	Name     string `json:"name"`
	Position uint64 `json:"position"`
	Live     bool   `json:"live"`
	Parked   uint64 `json:"parked,omitempty"`
	Failing  bool   `json:"failing,omitempty"`
	// Rebuilding says how much is done of building anew a view that could not go on.
	Rebuilding string `json:"rebuilding,omitempty"`
}

// RegisterHouse adds the routes about the house itself, which stand at the root.
func RegisterHouse(api *httpapi.API, h House) {
	// Alive as long as it answers at all: a failing engine is no reason to be restarted.
	api.Engine.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	api.Engine.GET("/readyz", func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), checkTimeout)
		defer cancel()
		r := h.readiness(ctx)
		status := http.StatusOK
		if !r.Ready {
			status = http.StatusServiceUnavailable
		}
		c.JSON(status, r)
	})
	api.Engine.GET("/metrics", gin.WrapH(h.Metrics))
}

// readiness asks every engine that writes and lists cannot do without. A view that is
// behind makes nobody unready: reads that want to be current say so.
func (h House) readiness(ctx context.Context) readiness {
	r := readiness{Ready: true, Checks: map[string]string{}}
	for name, check := range h.Checks {
		r.Checks[name] = "ok"
		if err := check(ctx); err != nil {
			r.Ready, r.Checks[name] = false, "cannot be reached" // the cause is in the log, not for all to see
		}
	}
	if h.Warnings != nil {
		r.Warnings = h.Warnings()
	}
	for _, s := range h.Status() {
		v := viewStatus{Name: s.Name, Position: uint64(s.Position), Live: s.Live, Parked: s.Parked, Failing: s.LastError != ""}
		if s.Rebuilding {
			v.Rebuilding = fmt.Sprintf("%d %%", s.Percent)
			r.Warnings = append(r.Warnings, fmt.Sprintf("rebuilding %s %s: until then it answers as it was left", s.Name, v.Rebuilding))
		}
		r.Views = append(r.Views, v)
	}
	return r
}
