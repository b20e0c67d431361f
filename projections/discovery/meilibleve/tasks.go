package meilibleve

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tasksKept is how many tasks can still be asked for.
const tasksKept = 1000

// task is a write that was executed.
type task struct {
	UID            int64          `json:"uid"`
	BatchUID       int64          `json:"batchUid"`
	IndexUID       *string        `json:"indexUid"`
	Status         string         `json:"status"`
	Type           string         `json:"type"`
	CanceledBy     *int64         `json:"canceledBy"`
	Details        map[string]any `json:"details"`
	Error          *apiError      `json:"error"`
	Duration       string         `json:"duration"`
	EnqueuedAt     time.Time      `json:"enqueuedAt"`
	StartedAt      time.Time      `json:"startedAt"`
	FinishedAt     time.Time      `json:"finishedAt"`
	CustomMetadata string         `json:"customMetadata,omitempty"`
}

// summary is the answer to a write, which Meilisearch gives before it executes it.
func (t task) summary() map[string]any {
	return map[string]any{"taskUid": t.UID, "indexUid": t.IndexUID, "status": "enqueued", "type": t.Type, "enqueuedAt": t.EnqueuedAt}
}

// is tells whether the task was enqueued, started or finished before or after at, as the
// parameter of that name asks.
func (t task) is(name string, at time.Time) bool {
	when := map[string]time.Time{"EnqueuedAt": t.EnqueuedAt, "StartedAt": t.StartedAt, "FinishedAt": t.FinishedAt}
	if instant, ok := strings.CutPrefix(name, "before"); ok {
		return when[instant].Before(at)
	}
	return when[strings.TrimPrefix(name, "after")].After(at)
}

// taskLog is the tasks last executed. Safe for concurrent use.
type taskLog struct {
	mu    sync.Mutex
	next  int64
	tasks []task // by uid
}

func (l *taskLog) add(t task) task {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.UID, t.BatchUID = l.next, l.next
	l.next++
	l.tasks = append(l.tasks, t)
	if len(l.tasks) > tasksKept {
		l.tasks = slices.Delete(l.tasks, 0, len(l.tasks)-tasksKept)
	}
	return t
}

func (l *taskLog) get(uid int64) (task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := slices.BinarySearchFunc(l.tasks, uid, func(t task, uid int64) int { return int(t.UID - uid) })
	if !ok {
		return task{}, false
	}
	return l.tasks[i], true
}

// work is a write to be executed: what it does, and what a task says of it.
type work struct {
	kind    string
	index   string // uid; "" for none
	details map[string]any
	// run does it; it may add to details. Its error fails the task.
	run func(details map[string]any) error
}

// execute runs a write and answers with its task.
func (e *Engine) execute(w http.ResponseWriter, r *http.Request, job work) error {
	enqueued := e.now()
	done, err := e.begin(r.Context())
	if err != nil {
		return err
	}
	defer done()
	t := task{Type: job.kind, Status: "succeeded", Details: job.details, EnqueuedAt: enqueued, StartedAt: e.now()}
	if job.index != "" {
		t.IndexUID = &job.index
	}
	if err := job.run(t.Details); err != nil {
		t.Status, t.Error = "failed", asAPIError(err)
	}
	t.FinishedAt = e.now()
	t.Duration = fmt.Sprintf("PT%.6fS", t.FinishedAt.Sub(t.StartedAt).Seconds())
	t.CustomMetadata = brief(r.URL.Query().Get("customMetadata"))
	answer(w, http.StatusAccepted, e.tasks.add(t).summary())
	return nil
}

func (e *Engine) getTask(w http.ResponseWriter, r *http.Request) error {
	uid, err := strconv.ParseInt(r.PathValue("task"), 10, 64)
	if err != nil || uid < 0 {
		return badRequest("invalid_task_uid", "Invalid value for parameter `uid`: could not parse `%s` as a positive integer.", brief(r.PathValue("task")))
	}
	t, ok := e.tasks.get(uid)
	if !ok {
		return newError(http.StatusNotFound, "task_not_found", "Task `%d` not found.", uid)
	}
	answer(w, http.StatusOK, t)
	return nil
}

// listTasks answers the tasks that match every parameter, the last first.
func (e *Engine) listTasks(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, from := 20, int64(-1)
	var filters []func(task) bool
	reverse := false
	for name, values := range q {
		text := values[0]
		var err error
		list := strings.Split(text, ",")
		switch name {
		case "limit":
			limit, err = strconv.Atoi(text)
		case "from":
			from, err = strconv.ParseInt(text, 10, 64)
		case "reverse":
			reverse, err = strconv.ParseBool(text)
		case "uids":
			filters = append(filters, func(t task) bool { return slices.Contains(list, strconv.FormatInt(t.UID, 10)) })
		case "indexUids":
			filters = append(filters, func(t task) bool { return t.IndexUID != nil && slices.Contains(list, *t.IndexUID) })
		case "statuses":
			filters = append(filters, func(t task) bool { return slices.Contains(list, t.Status) })
		case "types":
			filters = append(filters, func(t task) bool { return slices.Contains(list, t.Type) })
		case "beforeEnqueuedAt", "beforeStartedAt", "beforeFinishedAt", "afterEnqueuedAt", "afterStartedAt", "afterFinishedAt":
			var at time.Time
			at, err = time.Parse(time.RFC3339, text)
			filters = append(filters, func(t task) bool { return t.is(name, at) })
		default:
			err = errors.New("the embedded engine does not filter by it")
		}
		if err != nil {
			return badRequest("invalid_task_"+snake(name), "Invalid value for parameter `%s`: %s.", brief(name), err)
		}
	}
	if limit < 0 || limit > tasksKept {
		return badRequest("invalid_task_limit", "Invalid value for parameter `limit`: must be 0 to %d.", tasksKept)
	}
	e.tasks.mu.Lock()
	all := slices.Clone(e.tasks.tasks)
	e.tasks.mu.Unlock()
	if !reverse {
		slices.Reverse(all)
	}
	results := []task{}
	total := 0
	var first, next *int64
	for _, t := range all {
		if slices.ContainsFunc(filters, func(f func(task) bool) bool { return !f(t) }) {
			continue
		}
		total++
		switch uid := t.UID; {
		case from >= 0 && (uid > from) != reverse && uid != from:
		case len(results) < limit:
			if first == nil {
				first = &uid
			}
			results = append(results, t)
		case next == nil:
			next = &uid
		}
	}
	answer(w, http.StatusOK, map[string]any{"results": results, "total": total, "limit": limit, "from": first, "next": next})
	return nil
}
