from django.urls import path

from apps.console import views
from apps.console.what_if_views import what_if

urlpatterns = [
    path("console/", views.years, name="console"),
    path("console/alarms", views.alarms, name="alarms"),
    path("console/runs/<int:year>/<int:number>", views.run, name="run"),
    path("console/what-if/<int:year>", what_if, name="what-if"),
]
