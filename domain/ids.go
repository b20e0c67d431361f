package domain

import (
	"encoding/base32"
	"fmt"
	"strings"
)

// Ids are prefixed strings that clients treat as opaque. Each kind has its own type, so
// that one is never taken for another.
type (
	// RestaurantID is "rst_" and 26 characters.
	RestaurantID string
	// UserID is "usr_" and 26 characters.
	UserID string
	// TableID is "tbl_" and 26 characters.
	TableID string
	// CombinationID is "cmb_" and 26 characters.
	CombinationID string
	// BlockID is "blk_" and 26 characters.
	BlockID string
	// ClosureID is "cls_" and 26 characters.
	ClosureID string
	// ReservationID is "rsv_" and 36 characters: the restaurant, the service date and the
	// entry's number in that day's book, so that a command finds its stream without a view.
	ReservationID string
	// WaitlistID is "wtl_" and 36 characters: like a ReservationID, of the entry's number in
	// that day's waitlist.
	WaitlistID string
	// WebhookID is "whk_" and 26 characters.
	WebhookID string
)

const (
	idBody    = 26 // 128 bits in base 32
	dateBody  = 4
	entryBody = 6
)

// idAlphabet is lower-case, in ASCII order, and leaves out i, l, o and u, which are misread.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

var idEncoding = base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding)

// NewRestaurantID writes 16 bytes as an id.
func NewRestaurantID(b [16]byte) RestaurantID { return RestaurantID("rst_" + encode(b)) }

// NewUserID writes 16 bytes as an id.
func NewUserID(b [16]byte) UserID { return UserID("usr_" + encode(b)) }

// NewTableID writes 16 bytes as an id.
func NewTableID(b [16]byte) TableID { return TableID("tbl_" + encode(b)) }

// NewCombinationID writes 16 bytes as an id.
func NewCombinationID(b [16]byte) CombinationID { return CombinationID("cmb_" + encode(b)) }

// NewBlockID writes 16 bytes as an id.
func NewBlockID(b [16]byte) BlockID { return BlockID("blk_" + encode(b)) }

// NewClosureID writes 16 bytes as an id.
func NewClosureID(b [16]byte) ClosureID { return ClosureID("cls_" + encode(b)) }

// NewWebhookID writes 16 bytes as an id.
func NewWebhookID(b [16]byte) WebhookID { return WebhookID("whk_" + encode(b)) }

func encode(b [16]byte) string { return idEncoding.EncodeToString(b[:]) }

// ParseRestaurantID checks s.
func ParseRestaurantID(s string) (RestaurantID, error) {
	return parseID[RestaurantID](s, "rst_", idBody)
}

// ParseUserID checks s.
func ParseUserID(s string) (UserID, error) { return parseID[UserID](s, "usr_", idBody) }

// ParseTableID checks s.
func ParseTableID(s string) (TableID, error) { return parseID[TableID](s, "tbl_", idBody) }

// ParseCombinationID checks s.
func ParseCombinationID(s string) (CombinationID, error) {
	return parseID[CombinationID](s, "cmb_", idBody)
}

// ParseBlockID checks s.
func ParseBlockID(s string) (BlockID, error) { return parseID[BlockID](s, "blk_", idBody) }

// ParseClosureID checks s.
func ParseClosureID(s string) (ClosureID, error) { return parseID[ClosureID](s, "cls_", idBody) }

// ParseWebhookID checks s.
func ParseWebhookID(s string) (WebhookID, error) { return parseID[WebhookID](s, "whk_", idBody) }

// ParseReservationID checks s: its form, and that it names an entry that there could be, so
// that a made-up id leads to no day outside the range of dates.
func ParseReservationID(s string) (ReservationID, error) {
	id, err := parseID[ReservationID](s, "rsv_", idBody+dateBody+entryBody)
	if err != nil {
		return "", err
	}
	if _, date, number := id.Day(); date < minServiceDate || date > maxServiceDate || number == 0 {
		return "", fmt.Errorf("%q is no id: it names no day that can be booked", s)
	}
	return id, nil
}

func parseID[T ~string](s, prefix string, body int) (T, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != body || strings.Trim(rest, idAlphabet) != "" {
		return "", fmt.Errorf("%.60q is no id: want %q and %d characters of %s", s, prefix, body, idAlphabet)
	}
	return T(s), nil
}

// NewReservationID names entry number of the day's book, 1 to 2³⁰−1.
func NewReservationID(r RestaurantID, d ServiceDate, number uint32) ReservationID {
	b := make([]byte, 0, 4+idBody+dateBody+entryBody)
	b = append(b, "rsv_"...)
	b = append(b, r[len("rst_"):]...)
	b = appendBase32(b, uint32(d), dateBody)
	b = appendBase32(b, number, entryBody)
	return ReservationID(b)
}

// NewWaitlistID names entry number of the day's waitlist, 1 to 2³⁰−1.
func NewWaitlistID(r RestaurantID, d ServiceDate, entry uint32) WaitlistID {
	return WaitlistID("wtl_" + string(NewReservationID(r, d, entry))[len("rsv_"):])
}

// ParseWaitlistID checks s as ParseReservationID does.
func ParseWaitlistID(s string) (WaitlistID, error) {
	id, err := parseID[WaitlistID](s, "wtl_", idBody+dateBody+entryBody)
	if err != nil {
		return "", err
	}
	if _, date, entry := id.Day(); date < minServiceDate || date > maxServiceDate || entry == 0 {
		return "", fmt.Errorf("%q is no id: it names no day that can be booked", s)
	}
	return id, nil
}

// Day returns the restaurant-day whose waitlist the entry stands in, and its number there.
// The id must have passed ParseWaitlistID.
func (id WaitlistID) Day() (RestaurantID, ServiceDate, uint32) {
	return ReservationID("rsv_" + id[len("wtl_"):]).Day()
}

// Day returns the restaurant-day whose book the reservation stands in, and its number
// there. The id must have passed ParseReservationID.
func (id ReservationID) Day() (RestaurantID, ServiceDate, uint32) {
	body := string(id[len("rsv_"):])
	date := readBase32(body[idBody : idBody+dateBody])
	return RestaurantID("rst_" + body[:idBody]), ServiceDate(date), readBase32(body[idBody+dateBody:])
}

func appendBase32(b []byte, v uint32, width int) []byte {
	for i := width - 1; i >= 0; i-- {
		b = append(b, idAlphabet[v>>(5*i)&31])
	}
	return b
}

func readBase32(s string) (v uint32) {
	for i := range len(s) {
		v = v<<5 | uint32(strings.IndexByte(idAlphabet, s[i]))
	}
	return v
}
