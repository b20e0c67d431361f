package codec

import (
	"fmt"
	"reflect"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurant"
)

// filled returns a value of type t in which no field, however deep, is zero and no two
// texts are equal.
func filled(tb testing.TB, t reflect.Type) any {
	tb.Helper()
	v := reflect.New(t).Elem()
	n := 0
	fill(tb, v, &n)
	return v.Interface()
}

func fill(tb testing.TB, v reflect.Value, n *int) {
	tb.Helper()
	*n++
	switch v.Interface().(type) {
	case domain.Instant:
		v.SetInt(1_795_000_000_000 + int64(*n)*61_001)
		return
	case domain.ServiceDate:
		v.SetInt(int64(testDate) + int64(*n))
		return
	case domain.ReservationID: // whose parts tell where it belongs
		v.SetString(string(domain.NewReservationID(testRestaurant, testDate, uint32(*n))))
		return
	case restaurant.Weekdays:
		v.SetUint(uint64(*n)%uint64(restaurant.EveryDay) + 1)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d-end", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*n) + 0.25)
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				tb.Fatalf("%s has a hidden field, which no form can carry", v.Type())
			}
			fill(tb, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(tb, v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(tb, v.Elem(), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(tb, key, n)
		fill(tb, value, n)
		v.SetMapIndex(key, value)
	default:
		tb.Fatalf("cannot fill a %s", v.Type())
	}
}
