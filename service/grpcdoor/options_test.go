package grpcdoor

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/bounds"
)

// TestOptionsAreHeldToTheirBounds: every number has a default and a bound.
func TestOptionsAreHeldToTheirBounds(t *testing.T) {
	t.Parallel()
	standard := Options{}.settled()
	least, most := Options{}, Options{}
	numbers := 0
	for i := range reflect.TypeFor[Options]().NumField() {
		switch reflect.TypeFor[Options]().Field(i).Type.Kind() {
		case reflect.Int, reflect.Int64:
			numbers++
			reflect.ValueOf(&least).Elem().Field(i).SetInt(-1)
			reflect.ValueOf(&most).Elem().Field(i).SetInt(math.MaxInt64)
		default:
		}
	}
	negative, huge := least.settled(), most.settled()
	for i := range reflect.TypeFor[Options]().NumField() {
		name := reflect.TypeFor[Options]().Field(i).Name
		value := reflect.ValueOf(standard).Field(i)
		if !value.CanInt() {
			continue
		}
		if value.Int() <= 0 || reflect.ValueOf(negative).Field(i).Int() != value.Int() {
			t.Errorf("%s: default %d, less than nothing %d", name, value.Int(), reflect.ValueOf(negative).Field(i).Int())
		}
		if bound := reflect.ValueOf(huge).Field(i).Int(); bound < value.Int() || bound > int64(bounds.Day) {
			t.Errorf("%s: default %d, at most %d", name, value.Int(), bound)
		}
	}
	if numbers != 15 || standard.Codec == nil || standard.Logger == nil {
		t.Errorf("%d numbers of %+v", numbers, standard)
	}
	if (Options{PingAfter: time.Millisecond}).settled().PingAfter != time.Second {
		t.Error("grpc-go pings once a second at most")
	}
}
