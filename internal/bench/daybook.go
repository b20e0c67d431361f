package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

//go:embed profile.go.txt
var profileSource []byte

// profileEnv names the file into which a server that was built with the overlay writes its
// profile.
const profileEnv = "DAYBOOK_BENCH_PROFILE"

// build compiles Daybook into dir. With profile, a file is laid over it that profiles the
// process between two signals, so that what ships has no such door.
func build(ctx context.Context, dir string, profile bool) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "daybook").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	module := strings.TrimSpace(string(root))
	binary := filepath.Join(dir, "daybook")
	args := []string{"build", "-o", binary}
	if profile {
		source, overlay := filepath.Join(dir, "profile.go"), filepath.Join(dir, "overlay.json")
		replace, err := json.Marshal(map[string]map[string]string{
			"Replace": {filepath.Join(module, "cmd", "daybook", "bench_profile.go"): source},
		})
		if err != nil {
			return "", err
		}
		if err := errors.Join(os.WriteFile(source, profileSource, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/daybook")...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build daybook: %w\n%s", err, out)
	}
	return binary, nil
}

// startDaybook builds Daybook, serves from an empty folder with every engine embedded, and
// fills it over HTTP.
func startDaybook(ctx context.Context, profile string) (s *system, err error) {
	dir, err := os.MkdirTemp("", "daybook-bench-")
	if err != nil {
		return nil, err
	}
	s = &system{name: "daybook", close: func() error { return os.RemoveAll(dir) }}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	binary, err := build(ctx, dir, profile != "")
	if err != nil {
		return s, err
	}
	var env []string
	if profile != "" {
		if profile, err = filepath.Abs(profile); err != nil {
			return s, err
		}
		env = []string{profileEnv + "=" + profile}
	}
	p, err := start(ctx, env, binary, "serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.close = func() error { return errors.Join(p.stop(), os.RemoveAll(dir)) }
	s.addr, s.server = p.addr, p
	if err := s.furnish(ctx); err != nil {
		return s, fmt.Errorf("daybook: %w", err)
	}
	s.settle = s.waitForViews
	s.lay()
	return s, nil
}

// caller sends one request and reads the answer into out.
func (s *system) call(ctx context.Context, token, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "bench-furnish-"+strconv.FormatInt(runs.Add(1), 10))
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text := new(bytes.Buffer)
	if _, err := text.ReadFrom(http.MaxBytesReader(nil, answer.Body, maxAnswer)); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text.Bytes(), out)
}

// login makes an account and logs in.
func (s *system) login(ctx context.Context, name string) (token string, err error) {
	account := map[string]string{
		"email": name + "@bench.example", "password": "correct horse " + name, "firstName": "Bench", "lastName": name,
	}
	if err := s.call(ctx, "", http.MethodPost, "/users/register", account, nil); err != nil {
		return "", err
	}
	var in struct {
		AccessToken string `json:"accessToken"`
	}
	err = s.call(ctx, "", http.MethodPost, "/users/login", map[string]string{
		"email": account["email"], "password": account["password"],
	}, &in)
	return "Bearer " + in.AccessToken, err
}

// furnish makes the diners and the houses.
func (s *system) furnish(ctx context.Context) error {
	owner, err := s.login(ctx, "owner")
	if err != nil {
		return err
	}
	s.diners, s.restaurants = make([]*diner, dinersAtWrite), make([]string, houses)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range s.diners {
		g.Go(func() error {
			token, err := s.login(ctx, "diner-"+strconv.Itoa(i))
			s.diners[i] = &diner{token}
			return err
		})
	}
	for i := range s.restaurants {
		g.Go(func() (err error) {
			s.restaurants[i], err = s.furnishHouse(ctx, owner, i+1)
			return err
		})
	}
	return g.Wait()
}

func (s *system) furnishHouse(ctx context.Context, owner string, n int) (string, error) {
	r, err := floor(n)
	if err != nil {
		return "", err
	}
	var made struct {
		RestaurantID string `json:"restaurantId"`
	}
	err = s.call(ctx, owner, http.MethodPost, "/restaurants", map[string]any{
		"name": r.Profile.Name, "cuisine": "plain", "address": "Bench 1", "city": "Berlin", "timeZone": zone,
	}, &made)
	if err != nil {
		return "", err
	}
	at := "/restaurants/" + made.RestaurantID
	for _, t := range r.Tables {
		err := s.call(ctx, owner, http.MethodPost, at+"/tables", map[string]any{
			"number": t.Number, "minCapacity": t.Min, "capacity": t.Max,
		}, nil)
		if err != nil {
			return "", err
		}
	}
	shift := r.Shifts[0]
	err = s.call(ctx, owner, http.MethodPut, at+"/hours", map[string]any{"shifts": []any{map[string]any{
		"days": everyDay, "name": shift.Name, "opens": seatings[0], "lastSeating": seatings[len(seatings)-1],
		"closes": "22:45", "slotMinutes": shift.SlotMinutes,
	}}}, nil)
	if err != nil {
		return "", err
	}
	turns := make([]any, len(policy.Turns))
	for i, t := range policy.Turns {
		turns[i] = map[string]any{"upToParty": t.UpToParty, "minutes": t.Minutes}
	}
	err = s.call(ctx, owner, http.MethodPut, at+"/policy", map[string]any{
		"holdMinutes": policy.HoldMinutes, "horizonDays": policy.HorizonDays, "noticeMinutes": policy.NoticeMinutes,
		"bufferMinutes": policy.BufferMinutes, "pacingCovers": policy.PacingCovers, "turnMinutes": turns,
	}, nil)
	if err != nil {
		return "", err
	}
	return made.RestaurantID, s.call(ctx, owner, http.MethodPost, at+"/publish", nil, nil)
}

// settleLimit bounds how long views may take to catch up.
const settleLimit = 10 * time.Minute

// waitForViews waits until reporting, the slowest view, has read up to position.
func (s *system) waitForViews(ctx context.Context, position uint64) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	w, err := dial(ctx, s.addr)
	if err != nil {
		return err
	}
	defer w.close()
	for {
		w.head(http.MethodGet, "/api/v1/users/me/reservations?limit=1")
		w.header("Authorization", s.diners[0].bearer)
		w.header("Min-Ledger-Position", strconv.FormatUint(position, 10))
		r, err := w.send(nil) // waits two seconds, then says that the view is behind
		switch {
		case err != nil:
			return err
		case r.status == http.StatusOK:
			return nil
		case r.status != http.StatusServiceUnavailable || ctx.Err() != nil:
			return fmt.Errorf("views do not catch up: %d %.300s", r.status, r.body)
		}
	}
}
