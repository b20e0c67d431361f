package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/httpapi"
)

// otherPlan is the form of the file.
type otherPlan struct {
	httpapi.OtherPlan
	SpendPerCover *httpapi.Money `json:"spendPerCover"`
}

// parseOtherPlan reads another plan, and what a cover spends, if it says so.
func parseOtherPlan(raw []byte) (o restaurant.OtherPlan, spend domain.Money, err error) {
	if len(raw) == 0 {
		return o, spend, errors.New("it is empty; {} changes nothing")
	}
	var form otherPlan
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&form); err != nil {
		if strings.Contains(strings.ToLower(err.Error()), "unknown field \"deposit") {
			err = fmt.Errorf("%w: no plan has deposits yet, so there is nothing to compare", err)
		}
		return o, spend, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return o, spend, errors.New("something follows the plan")
	}
	if o, err = form.Domain(); err != nil {
		return o, spend, err
	}
	if spend, err = form.SpendPerCover.Domain(); err != nil {
		return o, spend, fmt.Errorf("spendPerCover.%w", err)
	}
	return o, spend, nil
}

var moneyText = regexp.MustCompile(`^([0-9]{1,12})(?:\.([0-9]{1,4}))? ?([A-Z]{3})$`)

// parseMoney reads an amount as people write it, such as "32.50 EUR" or "3000 JPY".
func parseMoney(s string) (domain.Money, error) {
	m := moneyText.FindStringSubmatch(s)
	if m == nil {
		return domain.Money{}, fmt.Errorf("%.30q: want an amount such as 32.50 EUR", s)
	}
	digits := minorDigits(m[3])
	if len(m[2]) > digits {
		return domain.Money{}, fmt.Errorf("%s has %d decimals", m[3], digits)
	}
	minor, err := strconv.ParseInt(m[1]+m[2]+strings.Repeat("0", digits-len(m[2])), 10, 64)
	if err != nil {
		return domain.Money{}, err
	}
	return (&httpapi.Money{Amount: minor, Currency: m[3]}).Domain()
}
