from django.urls import path

from apps.console import views

urlpatterns = [
    path("console/", views.years, name="console"),
    path("console/alarms", views.alarms, name="alarms"),
    path("console/runs/<int:year>/<int:number>", views.run, name="run"),
]
