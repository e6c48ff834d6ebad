from django.urls import path

from apps.payouts import views

urlpatterns = [path("payouts/stripe/webhook", views.stripe_webhook, name="stripe-webhook")]
