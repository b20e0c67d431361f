package domain

import (
	"errors"
	"strings"
)

// Money is an amount of one currency.
type Money struct {
	Amount   int64  // in minor units, such as cents
	Currency string // ISO 4217, such as "EUR"; empty for no money at all
}

// ErrCurrency refuses what is no name of a currency.
var ErrCurrency = errors.New("want a currency as three capital letters of ISO 4217")

// NewMoney checks that currency looks like one. Whether there is one of that name is not
// looked at: the list changes.
func NewMoney(amount int64, currency string) (Money, error) {
	if len(currency) != 3 || strings.ContainsFunc(currency, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return Money{}, ErrCurrency
	}
	return Money{Amount: amount, Currency: currency}, nil
}
