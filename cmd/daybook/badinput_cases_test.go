package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"daybook/domain"
	"daybook/internal/tokens"
)

// badPaths spoils each id of the path.
func badPaths(op operation, g goodRequest) (all []bad) {
	absent := g.absent
	if absent == 0 {
		absent = http.StatusNotFound
	}
	for name, id := range g.params {
		last := strings.HasSuffix(op.path, "{"+name+"}")
		for what, value := range map[string]string{
			"upper case": strings.ToUpper(id), "a space before": "%20" + id, "too long": id + strings.Repeat("0", 300), "cut": id[:len(id)-1],
			"no prefix": id[4:], "a letter of no id": id[:len(id)-1] + "u", "percent": "%25", "slash": "a%2Fb", "parent": "..", "dot": ".", "quote": "'",
			"NUL": id + "%00", "no UTF-8": "%ff%fe", "line end": id + "%0d%0aX-Evil:%201", "SQL": "1'%20OR%20'1'='1",
			"a user": string(domain.NewUserID([16]byte{7})), "template": "%7Bid%7D", "RTL": "%E2%80%AE" + id, "star": "*", "semicolon": id + ";a=b",
		} {
			if value == id {
				continue // a date has no upper case
			}
			r := g.request(op)
			params := maps.Clone(g.params)
			params[name] = value
			r.path = g.path(op, params)
			status := []int{400, 404}
			if name == "batch" { // no id of ours: what it may be is part of its form
				status = append(status, 422)
			}
			all = append(all, bad{what: "path " + name + ": " + what, request: r, status: status, common: true})
		}
		r := g.request(op)
		params := maps.Clone(g.params)
		params[name] = unknown(id)
		r.path = g.path(op, params)
		if last && absent == http.StatusOK {
			continue // its own test below: it is no refusal
		}
		all = append(all, bad{what: "path " + name + ": unknown", request: r, status: []int{http.StatusNotFound}})
	}
	for what, path := range map[string]string{"slash at the end": op.path + "/", "doubled slash": strings.Replace(op.path, "/v1/", "/v1//", 1)} {
		if op.outside() {
			continue
		}
		r := g.request(op)
		r.path = g.path(operation{path: path}, g.params)
		all = append(all, bad{what: what, request: r, status: []int{404}})
	}
	return all
}

// badQueries spoils each query parameter.
func badQueries(op operation, g goodRequest) (all []bad) {
	with := func(what, query, location string, status ...int) {
		r := g.request(op)
		r.query = query
		all = append(all, bad{what: "query: " + what, request: r, status: status, location: location})
	}
	add := func(name, value string) string {
		q, _ := url.ParseQuery(g.query)
		q.Del(name)
		return q.Encode() + "&" + name + "=" + value
	}
	with("unknown", add("zzz", "1"), "query.zzz", 422)
	for what, broken := range map[string]string{"percent": "%zz", "cut": "%2", "semicolon": "1;a=2", "NUL": "%00", "no UTF-8": "%ff"} {
		with(what, add("limit", broken), "")
	}
	for _, p := range op.Parameters {
		if p.In != "query" {
			continue
		}
		location := "query." + p.Name
		var values []string
		switch p.Schema.kind() {
		case "integer":
			values = []string{"x", "1.5", "1e1", "0x1", "+", "9223372036854775808", "-9223372036854775809", "NaN", "1_0", "%D9%A1", "null", "true"}
			if p.Schema.Minimum != nil {
				values = append(values, fmt.Sprint(int(*p.Schema.Minimum)-1), "-1", "-1000000000")
			}
			if p.Schema.Maximum != nil {
				values = append(values, fmt.Sprint(int(*p.Schema.Maximum)+1), "1000000000")
			}
		case "number":
			values = []string{"x", "NaN", "nan", "Inf", "-Inf", "1e400", "1,5", "--1"}
			if p.Schema.Minimum != nil {
				values = append(values, fmt.Sprint(*p.Schema.Minimum-1))
			}
			if p.Schema.Maximum != nil {
				values = append(values, fmt.Sprint(*p.Schema.Maximum+1))
			}
		case "string":
			values = []string{"%00", "a%01b", "%ff"}
			if !slices.Contains(g.anything, location) {
				values = append(values, "x", "AAAA", "%F0%9F%8D%95", "2026-02-30", "1999-12-31", "9999-12-31", "-1", "%27%3B--", strings.Repeat("A", 400),
					"2026-13-01T00:00:00Z", "usr_", "rsv_"+strings.Repeat("z", 36), "eyJhIjoxfQ")
			} else if p.Schema.MaxLength != nil {
				values = append(values, strings.Repeat("a", *p.Schema.MaxLength+1))
			}
		}
		for _, v := range values {
			with(p.Name+"="+v, add(p.Name, v), location, 400, 422)
		}
		if p.Required {
			q, _ := url.ParseQuery(g.query)
			q.Del(p.Name)
			with("without "+p.Name, q.Encode(), location, 422)
		}
	}
	return all
}

// badHeaders spoils each header that the operation names, and the content type.
func badHeaders(op operation, g goodRequest) (all []bad) {
	with := func(name, value, location string, status ...int) {
		r := g.request(op)
		r.header = map[string]string{name: value}
		all = append(all, bad{what: fmt.Sprintf("%s: %.20q", name, value), request: r, status: status, location: location})
	}
	for _, p := range op.Parameters {
		if p.In != "header" {
			continue
		}
		switch p.Name {
		case "Idempotency-Key":
			with(p.Name, "", "", 400)
			with(p.Name, strings.Repeat("k", 256), "header.Idempotency-Key", 422)
			with(p.Name, strings.Repeat("k", 8000), "header.Idempotency-Key", 422)
		case "Min-Ledger-Position", "Last-Event-ID":
			for _, v := range []string{"x", "-1", "1.5", "1e3", "18446744073709551616", "0x10", "NaN", "1 2", "\xff"} {
				with(p.Name, v, "header."+p.Name, 422)
			}
			with(p.Name, "184467440737095516150", "header."+p.Name, 422)
		default:
			panic("no bad values for the header " + p.Name)
		}
	}
	if op.RequestBody != nil {
		for _, v := range []string{"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x", "application/cbor"} {
			with("Content-Type", v, "", 415)
			all[len(all)-1].common = true
		}
	}
	return all
}

// badPositions are those that no view has reached: reads wait for them, and give up.
func badPositions(op operation, g goodRequest) (all []bad) {
	for _, p := range op.Parameters {
		if p.Name == "Min-Ledger-Position" {
			r := g.request(op)
			r.header = map[string]string{p.Name: "18446744073709551615"}
			all = append(all, bad{what: "a position far ahead", request: r, status: []int{503}})
		}
	}
	return all
}

// badTokens come from nobody, or from somebody who may not.
func badTokens(h *house, town *town, op operation, g goodRequest) (all []bad) {
	if len(op.Security) == 0 {
		return nil
	}
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		now := h.cfg.clock()
		claims := jwt.MapClaims{"iss": "daybook", "aud": "daybook-api", "sub": string(domain.NewUserID([16]byte{9})), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		change(claims)
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			panic(err)
		}
		return token
	}
	same := func(jwt.MapClaims) {}
	stale, err := tokens.NewSigner(must(h.engines.secret(town.owner.t.Context(), "access-tokens")), func() time.Time { return h.cfg.clock().Add(-tokens.Lifetime - time.Minute) })
	if err != nil {
		panic(err)
	}
	expired, _, err := stale.Access(string(domain.NewUserID([16]byte{9})))
	if err != nil {
		panic(err)
	}
	other := []byte(strings.Repeat("k", 32))
	mine := must(h.engines.secret(town.owner.t.Context(), "access-tokens"))
	cut := strings.Split(g.token, ".")
	for what, header := range map[string]string{
		"none": "", "Basic": "Basic b3duZXI6cGFzc3dvcmQ=", "empty": "Bearer ", "garbage": "Bearer garbage", "no scheme": g.token, "twice": "Bearer Bearer " + g.token,
		"dots": "Bearer ..", "unsigned": "Bearer " + cut[0] + "." + cut[1] + ".", "no UTF-8": "Bearer \xff\xfe", "long": "Bearer " + strings.Repeat("a", 8000),
		"alg none":     "Bearer " + sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"another key":  "Bearer " + sign(jwt.SigningMethodHS256, other, same),
		"another alg":  "Bearer " + sign(jwt.SigningMethodHS512, mine, same),
		"expired":      "Bearer " + expired,
		"no expiry":    "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { delete(c, "exp") }),
		"not for us":   "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { c["aud"] = "other" }),
		"not by us":    "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { c["iss"] = "other" }),
		"not yet":      "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { c["nbf"] = h.cfg.clock().Add(time.Hour).Unix() }),
		"no subject":   "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { delete(c, "sub") }),
		"no user id":   "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { c["sub"] = "usr_1" }),
		"a restaurant": "Bearer " + sign(jwt.SigningMethodHS256, mine, func(c jwt.MapClaims) { c["sub"] = town.open }),
	} {
		r := g.request(op)
		r.token, r.header = "", map[string]string{"Authorization": header}
		all = append(all, bad{what: "token: " + what, request: r, status: []int{401}, common: true})
	}
	if len(g.params) > 0 {
		r := g.request(op)
		r.token = town.rival.token
		all = append(all, bad{what: "somebody else's token", request: r, status: []int{403, 404}})
	}
	return all
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// badMethods asks every path for what it does not do.
func badMethods(api *apiSpec, town *town) (all []bad) {
	for _, op := range api.operations {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"} {
			if _, there := api.Paths[op.path][strings.ToLower(method)]; there && method != "get" {
				continue
			}
			r := town.good[op.OperationID].request(op)
			r.method = method
			status := []int{405}
			if api.otherwise(op.path, method) {
				status = []int{404} // what stands there is taken for an id
			}
			all = append(all, bad{what: "method " + method, request: r, status: status})
		}
	}
	for _, path := range []string{"/", "/api", "/api/v1", "/api/v2/restaurants", "/api/v1/nothing", "/api/v1/restaurants/../users/me", "/API/V1/restaurants", "//", "/%00", "/%ff", "/favicon.ico", "/api/v1/users"} {
		all = append(all, bad{what: "path " + path, request: request{method: "GET", path: path}, status: []int{400, 404}})
	}
	return all
}

// otherwise reports whether a path is also one of those of another, with a parameter in it,
// that takes this method.
func (a *apiSpec) otherwise(path, method string) bool {
	parts := strings.Split(path, "/")
	for other, methods := range a.Paths {
		_, takes := methods[strings.ToLower(method)]
		if takes && method != "get" && other != path && slices.EqualFunc(strings.Split(other, "/"), parts, func(o, p string) bool {
			return o == p || strings.HasPrefix(o, "{") && !strings.HasPrefix(p, "{")
		}) {
			return true
		}
	}
	return false
}

// A mark stands in a body for bytes that are no JSON of ours.
const mark = "\"@@\""

// badBodies spoils the body: its form, and each value in it.
func badBodies(api *apiSpec, op operation, g goodRequest) (all []bad) {
	if op.RequestBody == nil {
		return nil
	}
	with := func(what, body, location string, status ...int) {
		r := g.request(op)
		r.body = body
		all = append(all, bad{what: "body: " + what, request: r, status: status, location: location})
	}
	if op.RequestBody.Required {
		with("none", "", "", 400)
		with("null", "null", "", 422)
	}
	inner := strings.TrimSuffix(g.body, "}")
	for what, body := range map[string]string{
		"a space": " ", "brace": "{", "cut": inner, "cut in a string": g.body[:8], "word": "nul", "two": g.body + g.body, "more": g.body + "x", "BOM": "\ufeff" + g.body,
		"single quotes": `{'a':1}`, "comment": g.body + "// done", "comma at the end": inner + ",}", "no quotes": `{a:1}`, "bytes": "\x00\xff\x1f", "UTF-16": "{\x00}\x00",
		"deep arrays": strings.Repeat("[", 30_000), "deep objects": strings.Repeat(`{"a":`, 11_000), "deep and closed": strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000),
		"a value that is no UTF-8": inner + ",\"zzz\":\"a\xffb\"}", "a name that is no UTF-8": inner + ",\"z\xff\":1}",
		"half a surrogate": inner + `,"zzz":"\ud800"}`, "surrogates in the wrong order": inner + `,"zzz":"\udc00\ud800"}`, "XML": "<a/>", "form": "a=1&b=2",
	} {
		with(what, body, "", 400)
	}
	for what, body := range map[string]string{"array": "[]", "string": `"x"`, "number": "5", "bool": "true", "in an array": "[" + g.body + "]"} {
		with(what, body, "body", 422)
	}
	with("unknown name", inner+`,"zzz":1}`, "body.zzz", 422)
	with("prototype", inner+`,"__proto__":{"a":1}}`, "body.__proto__", 422)
	with("a thousand unknown names", inner+manyNames(1000)+"}", "", 422)
	tooLarge := inner + `,"zzz":"` + strings.Repeat("a", cmp.Or(g.largest, 64<<10)) + `"}`
	with("too large", tooLarge, "", 413)
	with("too large, in chunks", tooLarge, "", 413)
	all[len(all)-1].chunked = true
	var good any
	if err := json.Unmarshal([]byte(g.body), &good); err != nil {
		panic(fmt.Sprintf("%s: %s: %v", op.name(), g.body, err))
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(g.body, "{"), ",")
	with("a name twice", strings.TrimSuffix(inner, "}")+","+strings.TrimSuffix(first, "}")+"}", "", 400)
	for i := range all {
		all[i].common = true // so far it was about the form
	}
	s := api.resolve(op.RequestBody.Content["application/json"].Schema)
	w := bodyWalk{api: api, good: good, anything: g.anything, add: with}
	w.object(s, nil, "body")
	for i := range all {
		// One type reads these parts wherever they stand, and what is no JSON is none wherever it
		// stands.
		part := strings.HasPrefix(all[i].location, "body.onOpenDays") || strings.HasPrefix(all[i].location, "body.plan.shifts")
		all[i].common = all[i].common || part || slices.Equal(all[i].status, []int{400})
	}
	return all
}

func manyNames(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":0`, i)
	}
	return b.String()
}
